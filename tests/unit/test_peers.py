"""Whose address a call comes from."""

from __future__ import annotations

import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from portal import env
from portal.core.peers import Caller, Proxies, network_of

PROXY, CLIENT, LIAR = "10.0.0.5", "198.51.100.1", "203.0.113.9"
NAMED = Proxies(networks=(ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("2001:db8::/64")))


def caller(proxies: Proxies, peer: str, **headers: str) -> Caller:
    sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return proxies.caller(peer, "http", sent)


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (Proxies(), LIAR, CLIENT, LIAR),  # nobody in front is trusted: the header is the caller's own claim
        (NAMED, LIAR, CLIENT, LIAR),  # neither is a stranger's
        (NAMED, PROXY, CLIENT, CLIENT),
        (NAMED, PROXY, f"{LIAR}, {CLIENT}", CLIENT),  # only what the trusted proxy added counts
        (NAMED, PROXY, f"{CLIENT}, 10.0.0.9", CLIENT),  # two proxies, both trusted
        (NAMED, PROXY, "", PROXY),
        (NAMED, PROXY, f"{CLIENT}, rubbish", PROXY),
        (NAMED, PROXY, f"{CLIENT}:4711", CLIENT),
        (NAMED, PROXY, "[2001:db8:1::7]:4711", "2001:db8:1::7"),
        (NAMED, PROXY, f"::ffff:{CLIENT}", CLIENT),
        (NAMED, "2001:db8::1", CLIENT, CLIENT),
        (Proxies(count=1), PROXY, f"{LIAR}, {CLIENT}", CLIENT),
        (Proxies(count=2), PROXY, f"{LIAR}, {CLIENT}, 192.0.2.2", CLIENT),
        (Proxies(count=1), "192.0.2.7", CLIENT, CLIENT),  # TEST-NET counts as private
        (Proxies(count=1), "8.8.8.8", CLIENT, "8.8.8.8"),  # a count says not who they are: none on the internet
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_wrote_down(
    proxies: Proxies, peer: str, forwarded: str, address: str
) -> None:
    assert caller(proxies, peer, x_forwarded_for=forwarded).address == address


def test_several_headers_of_one_name_are_one_list() -> None:
    sent = [(b"x-forwarded-for", LIAR.encode()), (b"x-forwarded-for", CLIENT.encode())]
    assert NAMED.caller(PROXY, "http", sent).address == CLIENT


def test_a_name_with_underscores_is_another_name() -> None:
    sent = [(b"x-forwarded-for", CLIENT.encode()), (b"x_forwarded_for", LIAR.encode())]
    assert NAMED.caller(PROXY, "http", sent).address == CLIENT


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [(PROXY, "https", "https"), (PROXY, "http, https", "https"), (PROXY, "gopher", "http"), (LIAR, "https", "http")],
)
def test_only_a_trusted_proxy_sets_the_scheme(peer: str, told: str, scheme: str) -> None:
    assert caller(NAMED, peer, x_forwarded_proto=told).scheme == scheme


@pytest.mark.parametrize(
    ("proxies", "peer", "headers", "claims", "shared"),
    [
        (Proxies(), LIAR, {}, False, False),
        (Proxies(), LIAR, {"x_forwarded_for": CLIENT}, True, True),
        (Proxies(), LIAR, {"forwarded": "for=198.51.100.1"}, True, True),
        (NAMED, LIAR, {}, False, False),
        (NAMED, LIAR, {"x_forwarded_for": CLIENT}, True, False),  # a header chooses no wider limit
        (NAMED, LIAR, {"via": "1.1 proxy"}, True, False),
        (Proxies(count=1), "8.8.8.8", {"x_forwarded_for": CLIENT}, True, False),
        (NAMED, PROXY, {"x_forwarded_for": CLIENT}, False, False),
    ],
)
def test_an_address_is_shared_if_an_unconfigured_proxy_sends_headers(
    proxies: Proxies, peer: str, headers: dict[str, str], claims: bool, shared: bool
) -> None:
    found = caller(proxies, peer, **headers)
    assert (found.claims, found.shared) == (claims, shared)


@given(st.text(st.characters(max_codepoint=255), max_size=200), st.sampled_from([PROXY, LIAR, "", "fe80::1%eth0"]))
def test_any_header_gives_an_address(value: str, peer: str) -> None:
    found = caller(NAMED, peer, x_forwarded_for=value).address
    assert found == "" or ipaddress.ip_address(found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", Proxies()),
        ("", Proxies()),
        ("2", Proxies(count=2)),
        ("10.0.0.5/24, ::1", Proxies((ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("::1")))),
    ],
)
def test_the_setting_accepts_addresses_or_a_count(
    given: str, expected: Proxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_TRUSTED_PROXIES", given)
    assert env.proxies("GATEHOUSE_TRUSTED_PROXIES") == expected


@pytest.mark.parametrize("given", ["proxy.example.com", "10.0.0.0/99", "-1"])
def test_the_setting_refuses_invalid_addresses(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_TRUSTED_PROXIES", given)
    with pytest.raises(ImproperlyConfigured, match=f"GATEHOUSE_TRUSTED_PROXIES has “{given}”.*like 10.0.0.5"):
        env.proxies("GATEHOUSE_TRUSTED_PROXIES")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("command line (root@host)", "command line (root@host)"),
    ],
)
def test_one_caller_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_no_more_than_fifty_proxies_are_followed() -> None:
    chain = ", ".join(f"10.0.0.{number}" for number in range(60)).encode()
    assert NAMED.caller("10.0.0.250", "http", [(b"x-forwarded-for", chain)]).address == "10.0.0.10"
