import pytest

from accounts.enrolment import enrol
from accounts.operator import Operator
from portal.catalogue import actions
from tests.unit.catalogue.texts import GOOD

BY = Operator("root")


@pytest.fixture
def staff(db):
    """Whom the file of texts.py names, so that it is without warnings."""
    for name, groups in {
        "ann": ["data"],
        "lea": ["leads"],
        "boss": [],
        "adam": ["admins"],
        "aude": ["auditors"],
    }.items():
        enrol(by=BY, username=name, groups=groups)


@pytest.fixture
def apply(tmp_path):
    """apply(text): the text put in force as gatehouse.toml."""

    def put(text=GOOD, *, by=BY):
        file = tmp_path / "gatehouse.toml"
        file.write_text(text)
        return actions.apply(by=by, path=file)

    return put
