"""A policy in sentences."""

import re

import pytest

from accounts.models import User
from portal.catalogue.document import StageSpec
from portal.ui.templatetags.gatehouse import names
from portal.web import policy_words


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("^OPS-[0-9]+$", "“OPS-” and digits, for example OPS-123."),
        (r"^INC\d{7}$", "“INC” and 7 digits, for example INC1234567."),
        ("^[A-Z]+-[0-9]+$", "capital letters and “-” and digits, for example ABC-123."),
        ("^(OPS|DEV)-[0-9]+$", "It has the form ^(OPS|DEV)-[0-9]+$."),
    ],
)
def test_a_ticket_pattern_in_words(pattern, said):
    assert policy_words.ticket(pattern) == said
    example = re.search(r"for example (\S+)\.$", said)
    assert example is None or re.fullmatch(pattern, example[1])


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
    assert policy_words.deciders([], one) == "nobody at present"
