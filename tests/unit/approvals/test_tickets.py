"""Tickets: what to enter in words, what is wrong, and where one is read."""

import re

import pytest

from portal.approvals import tickets
from portal.catalogue.document import PolicySpec


def policy(pattern: str = "^OPS-[0-9]+$", **more: str) -> PolicySpec:
    return PolicySpec(may_request=["group:data"], stages=[], ticket=pattern, **more)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("^OPS-[0-9]+$", "Use OPS- followed by digits, for example OPS-123."),
        (r"^INC\d{7}$", "Use INC followed by 7 digits, for example INC1234567."),
        ("^[A-Z]+-[0-9]+$", "Use capital letters, “-” and digits, for example ABC-123."),
        ("^(OPS|DEV)-[0-9]+$", "Use a ticket that matches ^(OPS|DEV)-[0-9]+$."),
    ],
)
def test_a_pattern_in_words(pattern, said):
    assert tickets.words(policy(pattern)) == said
    example = re.search(r"for example (\S+)\.$", said)
    assert example is None or re.fullmatch(pattern, example[1])


def test_the_example_of_the_policy_is_shown():
    shown = tickets.words(policy("^(OPS|DEV)-[0-9]+$", ticket_example="DEV-9"))
    assert shown == "Use a ticket that matches ^(OPS|DEV)-[0-9]+$, for example DEV-9."


@pytest.mark.parametrize(
    ("ticket", "said"),
    [("", "Enter a ticket. Use OPS-"), ("OPS-", "is not a valid ticket. Use OPS-"), ("O" * 81, "at most 80")],
)
def test_what_is_wrong(ticket, said):
    assert said in tickets.problem(ticket, policy())["ticket"]


@pytest.mark.parametrize(
    ("pattern", "ticket", "address"),
    [
        ("^OPS-[0-9]+$", "OPS-7", "https://t.example.com/browse/OPS-7?full"),
        (".+", "a b/../c?d#e&f", "https://t.example.com/browse/a%20b%2F..%2Fc%3Fd%23e%26f?full"),
        (".+", "<script>", "https://t.example.com/browse/%3Cscript%3E?full"),
        ("^OPS-[0-9]+$", "no such", ""),
        ("^OPS-[0-9]+$", "", ""),
    ],
)
def test_the_address_of_a_ticket(pattern, ticket, address):
    assert tickets.address(ticket, policy(pattern, ticket_url="https://t.example.com/browse/{ticket}?full")) == address


def test_without_an_address_in_the_policy_there_is_none():
    assert tickets.address("OPS-7", policy()) == ""
