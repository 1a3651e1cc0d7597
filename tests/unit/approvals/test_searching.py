"""A request is found by any of its words, in any spelling, on every database."""

import pytest

from portal.access.models import AccessRequest
from portal.approvals.searching import matching
from portal.core.errors import Invalid
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture
def asked():
    return factories.request_at_status(
        "pending", entitlement="demo/role/User", reason="매출 자료, für Müller: 50% sure_thing"
    )


@pytest.mark.parametrize(
    "q",
    [
        "매출",
        "\u1106\u1162\u110e\u116e\u11af",
        "Müller",
        "mu\u0308ller",
        "MÜLLER",
        "ＦÜＲ",
        "50%",
        "sure_thing",
        "USER emp",
        "",
    ],
)
def test_found(asked, q):
    assert list(matching(AccessRequest.objects.all(), q)) == [asked]


@pytest.mark.parametrize("q", ["muller", "surexthing", "매출 nothing", "5%"])
def test_not_found(asked, q):
    assert not matching(AccessRequest.objects.all(), q).exists()


def test_more_than_anybody_types_is_refused(asked):
    with pytest.raises(Invalid):
        matching(AccessRequest.objects.all(), "a b c d e f g h i j k l m n o p q r s t u")
