"""Read access to the catalogue for other packages: what is in force, and policies of earlier versions."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from django.db.models import QuerySet

from portal.catalogue.document import Document, PolicySpec
from portal.catalogue.models import CatalogueVersion, Dag, Deployment, Entitlement
from portal.core.errors import Missing


def version_in_force() -> CatalogueVersion | None:
    """The latest version, without its long columns; None before the first `catalogue apply`."""
    return CatalogueVersion.objects.defer("source", "document").order_by("-number").first()


def document(version: CatalogueVersion) -> Document:
    """A version's document. Cached, because versions never change."""
    return _document(version.number, version.sha256)


@lru_cache(maxsize=16)
def _document(number: int, sha256: str) -> Document:
    stored = CatalogueVersion.objects.only("document").get(number=number, sha256=sha256)
    return Document.model_validate(stored.document, context={"stored": True})


def policy(name: str, version: int | None = None) -> PolicySpec:
    """The policy of that name in version number `version`, by default the one in force. Raises Missing."""
    rows = CatalogueVersion.objects.only("number", "sha256")
    row = rows.filter(number=version).first() if version is not None else rows.order_by("-number").first()
    found = document(row).policies.get(name) if row else None
    if found is None:
        raise Missing(f"The catalogue has no policy “{name[:80]}”.", reason="unknown_policy")
    return found


def policies_in_force() -> dict[str, PolicySpec]:
    """All policies of the version in force, by name; empty before the first version."""
    row = CatalogueVersion.objects.only("number", "sha256").order_by("-number").first()
    return document(row).policies if row else {}


def default_durations() -> dict[str, timedelta]:
    """The preselected duration of each entitlement's form, by key, if the file in force names one."""
    row = CatalogueVersion.objects.only("number", "sha256").order_by("-number").first()
    specs = document(row).entitlements if row else []
    return {spec.key: spec.default_duration for spec in specs if spec.default_duration is not None}


def deployments_in_force() -> QuerySet[Deployment]:
    return Deployment.objects.filter(retired_at=None)


def entitlements_in_force() -> QuerySet[Entitlement]:
    return Entitlement.objects.filter(retired_at=None, deployment__retired_at=None)


def dags_in_force() -> QuerySet[Dag]:
    return Dag.objects.filter(retired_at=None, deployment__retired_at=None)


def entitlement(key: str) -> Entitlement:
    """The entitlement with that key, with its deployment. Raises Missing if it is not offered."""
    found = entitlements_in_force().select_related("deployment").filter(key=key).first()
    if found is None:
        raise Missing(f"There is no access “{key[:200]}” in the catalogue.", reason="unknown_entitlement")
    return found
