"""The documents match the code."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import get_commands

from accounts import matrix
from portal import env
from portal.audit.sentences import SENTENCES
from portal.audit.verbs import Verb
from portal.catalogue import schema
from portal.setup import states
from portal.setup.management.commands import openapi
from tests.guards.source import HOME, files

MADE_FROM_CODE = {
    "docs/states.md": (states.page, "manage.py states --write"),
    "docs/permissions.md": (matrix.markdown, "manage.py reference"),
    "docs/gatehouse.schema.json": (schema.text, "manage.py reference"),
    "docs/openapi.json": (openapi.document, "manage.py openapi --write"),
}
PAGES = [path for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("name", MADE_FROM_CODE)
def test_a_page_made_from_code_is_current(name):
    made, command = MADE_FROM_CODE[name]
    assert (HOME / name).read_text() == made(), f"renew it: {command}"


def test_the_rooms_in_the_readme_are_those_of_the_code():
    drawing = _load(HOME / "docs" / "rooms.py")
    assert drawing.README.read_text() == drawing.readme(), "renew it: python docs/rooms.py --write"


def _load(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_verb_has_its_sentence():
    assert set(SENTENCES) == set(Verb)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(HOME)))
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(HOME)))
def test_commands_and_settings_that_are_named_exist(page):
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (HOME / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= set(get_commands())
    known = set(env.readings) | {"GATEHOUSE_LOG_LEVEL"}
    named = {name.removesuffix("_FILE") for name in re.findall(r"\bGATEHOUSE_[A-Z_]*[A-Z]\b", text)}
    assert named <= known | {"GATEHOUSE"}


def test_every_setting_is_documented():
    text = (HOME / "docs" / "configuration.md").read_text()
    assert not {name for name in env.readings if name not in text}
