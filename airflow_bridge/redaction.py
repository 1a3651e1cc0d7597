"""Hides credentials in what others wrote: a server or a gateway may repeat our request in its error.

Every character is looked for in every encoding in which it may come back: as it is, in JSON (also repeatedly), percent-
or form-encoded, as a character reference of HTML, as Python or JavaScript write it. Passwords are looked for in Base64,
too.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import unicodedata
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from html.entities import codepoint2name
from typing import Any
from urllib.parse import parse_qsl

HIDDEN = "***"
LONGEST = 16_384  # characters of somebody's words that are looked at; the rest is dropped
SHORT = 4  # characters; a text with a shorter secret is hidden completely
BEGINNING = 6  # characters; so much of a secret is hidden where somebody cut his words off in the middle of it
RECENT = 16  # tokens that are remembered
PUBLIC = ("username", "grant_type", "scope", "audience", "client_id")  # fields of a request to sign in

BACKSLASH = r"(?:\\|%(?:25){0,3}5c|&(?:amp;){0,3}#(?:92|x5c);)"
SPACE = (
    rf"(?:\s|\+|{BACKSLASH}{{1,8}}(?:[nrtfv]|[ux][0-9a-f]{{2,4}})|%(?:25){{0,3}}[0-9a-f]{{2}}"
    r"|&(?:amp;){0,3}(?:nbsp|#x?[0-9a-f]{1,4});){1,8}"
)


def secrets_of(credentials: object) -> list[str]:
    """The secret fields of a class that signs in: those that its `repr` does not show."""
    if not is_dataclass(credentials):
        return []
    values = (getattr(credentials, field.name) for field in fields(credentials) if not field.repr)
    return [value for value in values if isinstance(value, str)]


def secrets_in_headers(headers: Mapping[str, str]) -> list[str]:
    """What makes a request ours: each value without its scheme ("Bearer") or the cookie's name."""
    return [re.sub(r"^(?:(?:bearer|basic)\s+|[\w-]+=)", "", value, flags=re.IGNORECASE) for value in headers.values()]


def secrets_in_body(content: bytes | None) -> list[str]:
    """The values of a form or a JSON object by which we sign in."""
    text = (content or b"").decode("utf-8", "replace")
    try:
        pairs = list(json.loads(text).items())
    except (AttributeError, RecursionError, ValueError):
        pairs = parse_qsl(text)
    return [value for name, value in pairs if isinstance(value, str) and name not in PUBLIC]


class Redactor:
    """Knows the secrets of one account. Thread-safe."""

    def __init__(self) -> None:
        self._lasting: set[str] = set()
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._here = threading.local()

    def add(self, secrets: Iterable[str]) -> None:
        """Those of the account itself."""
        self._lasting |= set(secrets)

    def add_recent(self, secrets: Iterable[str]) -> None:
        """Those that are replaced by and by: tokens and cookies."""
        self._recent.extend(secret for secret in secrets if secret not in self._recent)

    @contextmanager
    def hiding(self, secrets: Iterable[str]) -> Iterator[None]:
        """Hide these as well in what this thread hears meanwhile."""
        before: tuple[str, ...] = getattr(self._here, "secrets", ())
        self._here.secrets = (*before, *secrets)
        try:
            yield
        finally:
            self._here.secrets = before

    def __call__(self, text: str) -> str:
        return redact(text, {*self._lasting, *self._recent, *getattr(self._here, "secrets", ())})

    def anywhere(self, value: Any) -> Any:
        """`value` as JSON has it, with every text in it redacted."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.anywhere(item) for item in value]
        if isinstance(value, dict):
            return {self(key): self.anywhere(item) for key, item in value.items()}
        return value


def redact(text: str, secrets: Collection[str]) -> str:
    """`text` without any of the secrets."""
    text = text[:LONGEST]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for form in _forms(secret):
            pattern = re.compile("".join(map(_unit, form)), re.IGNORECASE)
            if len(form) >= SHORT:
                text = pattern.sub(HIDDEN, text)
            elif pattern.search(text):
                return HIDDEN
        text = _without_beginning(text, secret)
    return text


def _forms(secret: str) -> list[str]:
    """The secret, composed and decomposed, taken for Latin-1, and in Base64; each once, the longest first."""
    sent = secret.encode("utf-8", "surrogatepass")
    coded = [encode(sent).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    spelt = [secret, secret.strip(), unicodedata.normalize("NFC", secret), unicodedata.normalize("NFD", secret)]
    forms = dict.fromkeys([*spelt, sent.decode("latin-1"), *coded])
    return sorted(filter(None, forms), key=len, reverse=True)


def _unit(character: str) -> str:
    """A regular expression for one character in every way it may be written."""
    if character.isascii() and character.isalnum():
        return character
    if character.isspace():
        return SPACE if character.isascii() else rf"(?:{SPACE}|\?|\ufffd)"
    code = ord(character)
    sent = character.encode("utf-8", "surrogatepass")
    halves = re.findall("....", character.encode("utf-16-be", "surrogatepass").hex())
    plain = [
        re.escape(character),
        "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in sent),
        rf"&(?:amp;){{0,3}}#(?:0*{code}|x0*{code:x});",
    ]
    escaped = [
        "".join(rf"{BACKSLASH}{{1,8}}x{byte:02x}" for byte in sent),
        "".join(rf"{BACKSLASH}{{1,8}}u{half}" for half in halves),
        rf"{BACKSLASH}{{1,8}}U{code:08x}",
    ]
    if code < 256:
        escaped.append(rf"{BACKSLASH}{{1,8}}x{code:02x}")
    if code in (0, 7, 8, 27):
        escaped.append(rf"{BACKSLASH}{{1,8}}[0abe]")
    if name := {39: "apos", **codepoint2name}.get(code):
        plain.append(rf"&(?:amp;){{0,3}}{name};")
    if not character.isascii():
        plain += [r"\?", "\ufffd"]  # as somebody shows what he cannot write
    if character == "\\":
        return rf"(?:{BACKSLASH}{{1,16}}|{'|'.join(escaped)})"
    return rf"(?:{BACKSLASH}{{0,8}}(?:{'|'.join(plain)})|{'|'.join(escaped)})"


def _without_beginning(text: str, secret: str) -> str:
    """Somebody who cuts his words off may do so in the middle of a secret."""
    kept = text.rstrip(" .…")
    for spelt in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
        for length in range(len(spelt) - 1, BEGINNING - 1, -1):
            if kept.endswith(spelt[:length]):
                return kept[:-length] + HIDDEN
    return text
