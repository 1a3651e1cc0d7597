from __future__ import annotations

import pytest

from portal.catalogue.models import CatalogueVersion


@pytest.fixture
def separated_duties(catalogue):
    """From here on the policy of demo/role/Viewer forbids to hold demo/role/User beside it."""
    version = CatalogueVersion.objects.order_by("-number").first()
    document = version.document
    document["policies"]["at-once"]["conflicts_with"] = ["demo/role/User"]
    CatalogueVersion.objects.create(
        number=version.number + 1, sha256="f" * 64, source="", document=document, applied_by="test"
    )
