"""The format of the trail. It is fixed: events are verified by it years later, also by scripts of others.

An event is its payload, one canonical JSON text. Its leaf is SHA-256 over a zero byte and the payload; the chain is
SHA-256 over the chain of the event before and the leaf (32 bytes each; the columns hold hex). The chain is computed
from leaves, so a payload can be erased without breaking it; the random salt in the payload keeps an erased one from
being guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

VERSION = 1
GENESIS = "0" * 64  # the chain before the first event
SALT = re.compile(r"[0-9a-f]{32}", re.ASCII)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def canonical(document: Mapping[str, Any]) -> str:
    """JSON with sorted keys, no spaces and no floats: the one text of an event, hashed and stored as it is.

    Raises TypeError for a float or anything JSON has no word for. NUL and lone surrogates, which a database refuses,
    become U+FFFD.
    """
    return json.dumps(clean(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def clean(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"an audit event cannot hold a {type(value).__name__}: {value!r}")


def new_salt() -> str:
    return secrets.token_hex(16)


def leaf_of(payload: str) -> str:
    """The Merkle leaf (RFC 6962) of an event, in hex."""
    return hashlib.sha256(b"\x00" + payload.encode()).hexdigest()


def chained(prev: str, leaf: str) -> str:
    """The chain after an event, in hex. Raises ValueError where `prev` or `leaf` is no hash."""
    before, own = bytes.fromhex(prev), bytes.fromhex(leaf)
    if len(before) != 32 or len(own) != 32:
        raise ValueError("not 32 bytes")
    return hashlib.sha256(before + own).hexdigest()
