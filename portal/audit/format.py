"""The format of the trail. It is fixed, because events are verified years later, also by other people's scripts.

An event is its payload, one canonical JSON text. Its leaf is SHA-256 of a zero byte and the payload. The chain is
SHA-256 of the previous event's chain and the leaf (32 bytes each; the columns contain hex). The chain is computed
from leaves, so a payload can be erased without breaking it. The random salt in the payload prevents guessing an erased
payload.
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
    """JSON with sorted keys, without spaces and floats: the canonical text of an event, which is hashed and stored.

    Raises TypeError for a float and for any value that JSON cannot express. NUL and lone surrogates, which a database
    refuses, become U+FFFD.
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
    """The chain after an event, in hex. Raises ValueError if `prev` or `leaf` is not a hash."""
    before, own = bytes.fromhex(prev), bytes.fromhex(leaf)
    if len(before) != 32 or len(own) != 32:
        raise ValueError("not 32 bytes")
    return hashlib.sha256(before + own).hexdigest()
