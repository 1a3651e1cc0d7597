"""What the web server loads: the portal, with signs of life. Without them, it is portal.asgi."""

from portal.asgi import application  # before the rest: it sets Django up

# isort: split

from accounts import tokens
from portal import heartbeat, private

__all__ = ["application"]

private.stay_down_where_loose()
USES_EVERY = 5.0
heartbeat.begin("web")
heartbeat.every(USES_EVERY, tokens.write_uses, name="uses of tokens")
