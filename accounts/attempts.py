"""Rate limits for sign-in: attempts from one address, and attempts with one name from one address.

An attempt is counted before its password is checked, so that simultaneous attempts are all counted. If the password is
right, the count is reduced by one. Wrong passwords from one address do not lock out the same name at another address.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from accounts.limits import Limit
from portal.core.peers import network_of
from portal.core.text import fold

SHARED = "gatehouse.shared_address"
"""The front of the web process sets this if an untrusted proxy forwards the call (portal.serving.front)."""

OF_NAME = Limit("sign-in-name", 5, 300)
OF_ADDRESS = Limit("sign-in-address", 10, 60)
# everybody has this address: the ten mistakes of one person must not lock out all others
OF_SHARED_ADDRESS = Limit("sign-in-shared-address", 100, 60)


def allowed(request: HttpRequest, address: str, name: str) -> bool:
    """Count one attempt. Returns whether the attempt is allowed."""
    network = network_of(address)
    if _of_address(request).reached(network):  # first: bounds the rows that one address can create
        return False
    if OF_NAME.reached(network, fold(name)):
        _of_address(request).take_back(network)  # a program with an old password must not lock all others out
        return False
    return True


def succeeded(request: HttpRequest, address: str, name: str) -> None:
    """The attempt had the right password: subtract it from the limits in which `allowed` counted it."""
    network = network_of(address)
    OF_NAME.take_back(network, fold(name))
    _of_address(request).take_back(network)


def _of_address(request: HttpRequest) -> Limit:
    return OF_SHARED_ADDRESS if is_shared(request) else OF_ADDRESS


def is_shared(request: HttpRequest) -> bool:
    """Whether many people may share the caller's address because the proxy in front is not configured."""
    proxy_unknown = settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES
    return proxy_unknown or bool(request.META.get(SHARED))
