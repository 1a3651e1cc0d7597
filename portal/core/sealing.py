"""Keeping what must not be read in the database: encrypted for a while, or as a digest that only this portal can make.

Both go by keys derived from SECRET_KEY (HKDF, RFC 5869), one for each purpose.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """What was sealed cannot be opened: GATEHOUSE_SECRET_KEY is another one now, or the text was changed."""


@functools.lru_cache(8)
def _key(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=f"gatehouse {purpose}".encode()).derive(secret.encode())


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key(settings.SECRET_KEY, "seal")))


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text that `seal` was given. Raises Unreadable."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable from None


def digest(text: str) -> str:
    """The same for the same text, as 64 hexadecimal digits; without SECRET_KEY nobody can try out what it was."""
    return hmac.new(_key(settings.SECRET_KEY, "digest"), text.encode(), hashlib.sha256).hexdigest()
