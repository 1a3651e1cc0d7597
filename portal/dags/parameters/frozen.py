"""Frozen parameters of a requested run: a canonical text and a hash, which people and programs can compare.

The text is JSON with sorted keys and without spaces; secrets are hidden in it. Numbers are written in the shortest form
that reads back to the same number. The hash is SHA-256 of the text. If there are secrets, a line break and their keyed
digest follow the text, so a changed secret changes the hash, but nobody can test guesses of a secret with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.core import sealing
from portal.core.secrecy import HIDDEN
from portal.dags.models import RunRequest
from portal.dags.parameters.secrets import Hidden, hidden_as


class Changed(Exception):
    """The stored parameters are not those that were requested. `str()` says so in words."""


@dataclass(frozen=True)
class Frozen:
    """The columns of frozen parameters, by name."""

    conf_text: str
    conf_sha256: str
    sealed: str
    digest: str

    def columns(self) -> dict[str, str]:
        return dict(vars(self))


def freeze(hidden: Hidden) -> Frozen:
    text = canonical(hidden.shown)
    return Frozen(text, sha256(text, hidden.digest), hidden.sealed, hidden.digest)


def canonical(conf: Mapping[str, Any]) -> str:
    return json.dumps(conf, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(text: str, digest: str) -> str:
    return hashlib.sha256(f"{text}\n{digest}".encode() if digest else text.encode()).hexdigest()


def thaw(request: RunRequest) -> tuple[dict[str, Any], Hidden]:
    """All parameters of a request, and the same as a run stores them. Raises Changed, and sealing.Unreadable."""
    shown = request.conf
    conf: dict[str, Any] = json.loads(sealing.unseal(request.sealed)) if request.sealed else shown
    hidden = hidden_as(conf, shown, request.sealed)
    if sha256(canonical(shown), hidden.digest) != request.conf_sha256 or not _same_outside(conf, shown):
        raise Changed("The stored parameters are not those that were requested.")
    return conf, hidden


def _same_outside(value: Any, shown: Any) -> bool:
    """Whether both are equal except where `shown` hides a secret."""
    if shown == HIDDEN:
        return True
    if isinstance(value, Mapping) and isinstance(shown, Mapping):
        return value.keys() == shown.keys() and all(_same_outside(value[key], shown[key]) for key in value)
    if isinstance(value, list) and isinstance(shown, list):
        return len(value) == len(shown) and all(map(_same_outside, value, shown))
    return type(value) is type(shown) and bool(value == shown)
