"""The limits of signing in: attempts from one address, and attempts with one name from one address.

An attempt is counted before its password is checked, so that attempts at the same moment are all counted. After a right
password the count is reduced by one. Wrong passwords from one address lock nobody out at another address.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from accounts.limits import Limit
from portal.core.peers import network_of
from portal.core.text import fold

SHARED = "gatehouse.shared_address"
"""Set by the web process's front where a proxy that is not trusted stands between (portal.serving.front)."""

OF_NAME = Limit("sign-in-name", 5, 300)
OF_ADDRESS = Limit("sign-in-address", 10, 60)
# everybody comes from this address: it must not take one person's ten mistakes to keep all of them out
OF_SHARED_ADDRESS = Limit("sign-in-shared-address", 100, 60)


def allowed(request: HttpRequest, address: str, name: str) -> bool:
    """Count one attempt; whether it may be made."""
    network = network_of(address)
    if _of_address(request).reached(network):  # first, so that no address makes more rows of names than it has attempts
        return False
    if OF_NAME.reached(network, fold(name)):
        _of_address(request).take_back(network)  # one program with an old password must not keep all others out
        return False
    return True


def succeeded(request: HttpRequest, address: str, name: str) -> None:
    """That attempt was a right one: it is taken back from the limits in which `allowed` counted it."""
    network = network_of(address)
    OF_NAME.take_back(network, fold(name))
    _of_address(request).take_back(network)


def _of_address(request: HttpRequest) -> Limit:
    return OF_SHARED_ADDRESS if is_shared(request) else OF_ADDRESS


def is_shared(request: HttpRequest) -> bool:
    """Whether many people may have the caller's address, because the proxy in front is not configured."""
    proxy_unknown = settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES
    return proxy_unknown or bool(request.META.get(SHARED))
