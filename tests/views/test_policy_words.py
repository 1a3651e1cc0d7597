"""A policy in sentences."""

import pytest

from accounts.models import User
from portal.catalogue.document import StageSpec
from portal.ui.templatetags.gatehouse import names
from portal.web.requests import policy_words


def cast(*usernames: str) -> list[User]:
    return [User(username=name) for name in usernames]


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ([], ""),
        (["lead"], "lead"),
        (["lead", "lead2"], "lead or lead2"),
        (["a", "b", "c"], "a, b or c"),
        (list("abcdefgh"), "a, b, c, d, e or 3 others"),
    ],
)
def test_names(people, said):
    assert names(cast(*people)) == said


def test_who_decides_a_stage():
    one, two = StageSpec(approvers=["group:leads"]), StageSpec(approvers=["group:leads"], quorum=2)
    assert policy_words.deciders(cast("lead", "lead2"), one) == "lead or lead2"
    assert policy_words.deciders(cast("a", "b", "c"), two) == "2 of a, b and c"
    assert policy_words.deciders([], one) == "nobody at the moment"
