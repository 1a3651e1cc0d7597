from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.catalogue.models import CatalogueVersion
from tests import factories
from tests.upgrade import load

__all__ = ["load"]  # a fixture

Change = Callable[..., CatalogueVersion]


@pytest.fixture
def change_catalogue(catalogue, tmp_path: Path) -> Change:
    """change_catalogue((old, new), ...) puts the demo's catalogue in force with each first `old` replaced by `new`."""

    def change(*changes: tuple[str, str]) -> CatalogueVersion:
        text = factories.CATALOGUE.read_text()
        for old, new in changes:
            assert old in text, f"the catalogue has no {old!r}"
            text = text.replace(old, new, 1)
        return factories.offer(tmp_path, source=text)

    return change
