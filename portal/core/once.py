"""A form's one-time key: sending the same form twice acts once; sending it with changed values acts again."""

from __future__ import annotations

import json
from typing import Any

from portal.core import sealing


def bind(key: str | None, **content: Any) -> str | None:
    """`key` bound to the values sent with it, as 64 hexadecimal digits; None without a key.

    A browser that goes back shows a form with its old key. If it is sent unchanged, it is the same submission; with
    other values it is a new one. The values, secrets included, cannot be guessed from the result.
    `content` holds JSON values, times and durations.
    """
    if not key:
        return None
    said = json.dumps([key, content], sort_keys=True, default=str)
    return sealing.digest(said)
