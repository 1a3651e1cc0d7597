"""Reads a secret at the moment of use, from the environment variable or the file that the catalogue names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


class SecretMissing(Exception):
    """A secret cannot be read. `str()` names the variable or the file, never a value."""


def resolve(spec: Mapping[str, str]) -> str:
    """The secret from `{"env": NAME}` or `{"file": PATH}`. Raises SecretMissing; the result is never empty."""
    if name := spec.get("env"):
        value = os.environ.get(name, "")
        if not value:
            raise SecretMissing(f"The environment variable {name} is not set.")
        return value
    path = Path(spec["file"])
    try:
        value = path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretMissing(f"The file {path} cannot be read: {why}.") from error
    if not value:
        raise SecretMissing(f"The file {path} is empty.")
    return value
