from __future__ import annotations

import pytest

from portal.catalogue.models import CatalogueVersion
from tests.unit.conftest import Change


@pytest.fixture
def separated_duties(change_catalogue: Change) -> CatalogueVersion:
    """The policy of demo/role/Viewer forbids to hold demo/role/User beside it; User's policy says nothing of it."""
    return change_catalogue(
        ("[policies.at-once]", '[policies.at-once]\nconflicts_with = ["demo/role/User"]'),
    )
