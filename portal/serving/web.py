"""The ASGI application of the web server: portal.asgi with heartbeats. Without heartbeats, use portal.asgi."""

from portal.asgi import application  # before the rest: it sets Django up

# isort: split

from accounts import token_refusals, tokens
from portal.core import heartbeat, private

__all__ = ["application"]

private.exit_if_exposed()
WRITE_EVERY = 5.0
heartbeat.begin("web")
heartbeat.run_every(WRITE_EVERY, tokens.write_uses, name="uses of tokens")
heartbeat.run_every(WRITE_EVERY, token_refusals.write, name="refused tokens")
