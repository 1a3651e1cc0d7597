"""Protects values in the database: encrypted for a while, or as a digest that only this portal can compute.

Both use keys derived from SECRET_KEY (HKDF, RFC 5869), one for each purpose.
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
    """A sealed text cannot be decrypted: GATEHOUSE_SECRET_KEY has changed, or the text was altered."""


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
    """A keyed digest, 64 hexadecimal digits. Without SECRET_KEY nobody can test guesses of the text."""
    return hmac.new(_key(settings.SECRET_KEY, "digest"), text.encode(), hashlib.sha256).hexdigest()
