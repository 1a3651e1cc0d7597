"""Whose address a call comes from. What a proxy writes down counts only where its own address is trusted.

The headers are those that were sent: `X_Forwarded_For` is another name than `X-Forwarded-For` here. In a WSGI
environment both are `HTTP_X_FORWARDED_FOR`, so this is decided before there is one.
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
LONGEST_CHAIN = 50  # addresses; nobody has more proxies


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as it can be known.

    claims: whoever is not trusted said for whom it calls: a proxy that is not configured, or a caller who pretends.
    shared: many people may have this address. Taken for true only where no proxy at all is configured: else whoever
    adds a header would choose the wider limits of a shared address.
    """

    address: str
    scheme: str
    claims: bool = False
    shared: bool = False


@dataclass(frozen=True)
class Proxies:
    """The proxies that are believed: by address, or the nearest `count` of them.

    A count says nothing of who they are; it is believed only of a peer on this machine or in a private network.
    """

    networks: Sequence[Network] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return bool(self.networks or self.count)

    def caller(self, peer: str, scheme: str, headers: Headers) -> Caller:
        """Who calls, from the address of the connection, its scheme and the headers as they were sent (lower case)."""
        headers = list(headers)
        address = parse(peer)
        if address is None or not self._trusts(address, 0):
            claims = any(FORWARDING.fullmatch(name) for name, _ in headers)
            return Caller(str(address or ""), scheme, claims, shared=claims and not self)
        chain = _values(headers, b"x-forwarded-for")[-LONGEST_CHAIN:]
        hops = 0
        while chain and self._trusts(address, hops):
            before = parse(chain.pop())
            if before is None:  # whoever wrote that is the last who is known
                break
            address, hops = before, hops + 1
        told = _values(headers, b"x-forwarded-proto")[-1:]
        return Caller(str(address), told[0] if told and told[0] in ("http", "https") else scheme)

    def _trusts(self, address: Address, hops: int) -> bool:
        if any(address.version == network.version and address in network for network in self.networks):
            return True
        return hops < self.count and (hops > 0 or address.is_private)


def parse(text: str) -> Address | None:
    """An address, with or without a port; None for anything else. IPv4 within IPv6 is IPv4."""
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
    """What one caller can be expected to have: an IPv4 address, or the /64 of an IPv6 one. Other text stays."""
    found = parse(address)
    if found is None:
        return address[:64]
    return str(found if found.version == 4 else ipaddress.ip_network((int(found), 64), strict=False))


def _values(headers: Headers, wanted: bytes) -> list[str]:
    """All comma-separated values of a header, in order."""
    text = ",".join(value.decode("latin-1") for name, value in headers if name == wanted)
    return [value.strip().lower() for value in text.split(",") if value.strip()]
