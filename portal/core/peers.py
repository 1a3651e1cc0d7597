"""The address of the caller. A proxy's headers count only if the proxy's own address is trusted.

The headers are read as they were sent: `X_Forwarded_For` and `X-Forwarded-For` are different names. In a WSGI
environment both become `HTTP_X_FORWARDED_FOR`, so this module runs before the environment is built.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = Iterable[tuple[bytes, bytes]]

FORWARDING = re.compile(rb"forwarded|x-forwarded-.*|x-real-ip|via")
WITH_PORT = re.compile(r"\[(?P<six>[^\]]*)\](?::\d{1,5})?|(?P<four>[\d.]+):\d{1,5}", re.ASCII)
LONGEST_CHAIN = 50  # addresses; more proxies than anybody has


@dataclass(frozen=True)
class Caller:
    """The caller, as far as it can be known.

    claims: an untrusted peer sent forwarding headers: a proxy that is not configured, or a caller who pretends.
    shared: many people may have this address. Set only if no proxy at all is configured. Otherwise any caller could add
    a header to get the wider limits of a shared address.
    """

    address: str
    scheme: str
    claims: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Proxies:
    """The trusted proxies: by address, or the nearest `count` of them.

    A count does not say who they are, so it is trusted only if the peer is on this machine or in a private network.
    """

    networks: Sequence[Network] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return bool(self.networks or self.count)

    def caller(self, peer: str, scheme: str, headers: Headers) -> Caller:
        """The caller, from the connection's address, its scheme and the headers as sent (lower case)."""
        headers = list(headers)
        address = parse(peer)
        if address is None or not self._trusts(address, 0):
            claims = any(FORWARDING.fullmatch(name) for name, _ in headers)
            return Caller(str(address or ""), scheme, claims, shared=claims and not self)
        chain = _values(headers, b"x-forwarded-for")[-LONGEST_CHAIN:]
        hops = 0
        while chain and self._trusts(address, hops):
            before = parse(chain.pop())
            if before is None:  # the proxy that wrote this is the last known address
                break
            address, hops = before, hops + 1
        told = _values(headers, b"x-forwarded-proto")[-1:]
        return Caller(str(address), told[0] if told and told[0] in ("http", "https") else scheme)

    def _trusts(self, address: Address, hops: int) -> bool:
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        return hops < self.count and (hops > 0 or address.is_private)


def parse(text: str) -> Address | None:
    """An address, with or without a port; None for other texts. IPv4 mapped into IPv6 is returned as IPv4."""
    match = WITH_PORT.fullmatch(text.strip())
    try:
        found = ipaddress.ip_address((match["six"] or match["four"]) if match else text.strip())
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return found.ipv4_mapped
        if found.scope_id:
            return ipaddress.IPv6Address(int(found))
    return found


def network_of(address: str) -> str:
    """The address range of one caller: an IPv4 address, or the /64 of an IPv6 address. Other text is unchanged."""
    found = parse(address)
    if found is None:
        return address[:64]
    return str(found if found.version == 4 else ipaddress.ip_network((int(found), 64), strict=False))


def _values(headers: Headers, wanted: bytes) -> list[str]:
    """All comma-separated values of a header, in order."""
    text = ",".join(value.decode("latin-1") for name, value in headers if name == wanted)
    return [value.strip().lower() for value in text.split(",") if value.strip()]
