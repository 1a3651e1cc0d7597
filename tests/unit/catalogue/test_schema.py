import json
import tomllib

import jsonschema
import pytest

from portal.catalogue import schema
from tests.factories import CATALOGUE
from tests.unit.catalogue.texts import GOOD, with_change

CHECK = jsonschema.Draft202012Validator(json.loads(schema.text()))


def test_the_schema_in_docs_is_current(settings):
    kept = (settings.BASE_DIR / "docs" / "gatehouse.schema.json").read_text()
    assert kept == schema.text(), "run `manage.py reference`"


def test_it_is_a_schema_that_knows_files_in_order(settings):
    CHECK.check_schema(CHECK.schema)
    for text in (GOOD, CATALOGUE.read_text(), (settings.BASE_DIR / "demo" / "gatehouse.toml").read_text()):
        CHECK.validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('risk = "high"', 'risk = "hihg"'),
        ('title = "Operator"', 'titel = "Operator"'),
        ("stages = []\n", ""),
        ('"group:leads"', '"leads"'),
        ("quorum = 1", "quorum = 0"),
        ('pending_for = "3d"', "pending_for = 3"),
    ],
)
def test_an_editor_sees_the_commonest_mistakes(old, new):
    assert not CHECK.is_valid(tomllib.loads(with_change(old, new)))
