"""A form's one-time key: a form that is sent twice is one thing, and a form that was changed is another."""

from __future__ import annotations

import json
from typing import Any

from portal.core import sealing


def bound(key: str | None, **content: Any) -> str | None:
    """`key` bound to what was sent with it, as 64 hexadecimal digits; None without a key.

    A browser that goes back shows a form with its old key. Sent unchanged, it means what it meant before; sent with
    other values, it is meant anew. What was sent, secrets included, cannot be guessed from the result.
    `content` holds what JSON has words for, and moments and lengths of time.
    """
    if not key:
        return None
    said = json.dumps([key, content], sort_keys=True, default=str)
    return sealing.digest(said)
