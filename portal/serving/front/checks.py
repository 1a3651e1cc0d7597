"""What `manage.py check --deploy` says of the way to the web server."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register


@register(Tags.security, deploy=True)
def proxy_in_front(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """What the proxy has to do, and whether it is named by its address."""
    found: list[CheckMessage] = [
        Info(
            "The proxy in front should buffer requests and bound the connections of each address.",
            hint="nginx: proxy_request_buffering on, limit_conn. Gatehouse reads bodies within 20 s, up to 512 KiB, "
            "but it cannot see who opens connections to the proxy. See docs/configuration.md.",
            id="gatehouse.I001",
        )
    ]
    if settings.TRUSTED_PROXIES.count:
        found.append(
            Warning(
                f"GATEHOUSE_TRUSTED_PROXIES is {settings.TRUSTED_PROXIES.count}, a number: any machine of a private "
                "network that reaches the portal can choose the address that the trail records.",
                hint="Name the proxies by their addresses or networks, like 10.0.0.5, 192.168.7.0/24.",
                id="gatehouse.W001",
            )
        )
    return found
