"""What is secret in parameters and variables, and how it is hidden: one rule for pages, API, trail, notes and logs.

A value is secret by the name it stands under or beside (`{"name": "DB_PASSWORD", "value": ...}`), by the JSON Schema
that declares it, by what stands above it, or by what it holds (an address with a password in it). `mask` hides every
such value; nothing else decides.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from portal.core.lookalikes import looks
from portal.core.text import fold
from portal.core.token_text import COMPLETE

HIDDEN = "***"  # as Airflow writes it
ANY = "*"  # in a path: every element of an array, every property of an object
DEEPEST = 64  # levels that are looked through; what is deeper is hidden

Path = tuple[str, ...]

# DEFAULT_SENSITIVE_FIELDS of Airflow's secrets masker (3.3), and what else such values are called. Compared with the
# name in lower case, words apart ("db_api_key"); LONG with the words joined as well ("dbapikey").
LONG = re.compile(
    r"passw|passphrase|kennwort|contrase[nñ]a|mot_?de_?passe|парол|비밀번호|パスワード|密码|secret(?!ar)|token(?!i[sz])|credential|authori[sz]ation|bearer"
    r"|(?:access|account|api|auth|client|consumer|encryption|fernet|hmac|master|pass|private|service|session|shared|signing"
    r"|ssh|storage)_?key"
    r"|auth_?header|keyfile_?dict|service_?account|connection_?(?:str|uri|url)|conn_?(?:str|uri|url)"
    r"|(?:database|broker|jdbc|webhook)_?(?:uri|url)|prox(?:y|ies)"
)
SHORT = re.compile(
    r"dsn|(?:^|_)(?:pwd|psw|pw|jwt|otp|totp|creds?|cookies?|senhas?)\d*(?:_|$)|(?:^|_)auth\d*$"
    r"|(?:^|_)pass\d*(?:_(?:prod|production|live|stag|stage|staging|dev|development|test|qa|uat|old|new))?\d*$"
)
# "max_tokens" counts tokens of a language model; it holds none
COUNTED = re.compile(r"(?:^|_)(?:max|min|num|number|count|limit|total|budget|length)(?:_|$)")
TOKENS = re.compile(r"tokens?")

# An address with a password, or with something longer than a user name, before its host.
USERINFO = re.compile(r"://(?:[^\s/@:]{0,256}:(?!\d{1,5}(?:[/?#]|$))[^\s@]{1,256}|[^\s/@:]{20,256})@")
NAMED_BY = ("name", "key")  # what says what a "value" beside it is
PAIR = re.compile(r"""(?:^|[\s?&;,{("'])([^\W\d_][\w.-]{0,60}(?: [Kk]ey)?)["']?\s{0,4}[=:]\s{0,4}["']?[^\s"'&;,]""")
LOOKS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|\b(?:Bearer|Basic)\s+[\w+/=.~-]{8,}|\beyJ[\w-]{8,}\.eyJ[\w-]+\."
    r"|\b(?:gh[a-z]?_|github_pat_|glpat-|xox[a-z]-)\w{10,}",
    re.IGNORECASE,
)


@functools.lru_cache(4096)
def sounds_secret(name: str) -> bool:
    """Whether what is called so is secret: in any case, with words joined, apart, or in camel case, in letters that
    look like those of ASCII too.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", unicodedata.normalize("NFKC", name))
    return any(_is_secret(spelling) for spelling in {fold(words), looks(words)})


def _is_secret(words: str) -> bool:
    words = re.sub(r"[\W_]+", "_", words).strip("_")
    if COUNTED.search(words):
        words = TOKENS.sub("", words)
    return bool(LONG.search(words) or LONG.search(words.replace("_", "")) or SHORT.search(words))


def holds_secret(text: str) -> bool:
    """Whether a text shows a credential, whatever it is called: an address with a password, a header, a private key."""
    if (
        ("@" in text and USERINFO.search(text))
        or LOOKS.search(text)
        or COMPLETE.search(text)
        or any(sounds_secret(found[1]) for found in PAIR.finditer(text))
    ):
        return True
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        value = json.loads(text)
        return mask(value) != value
    except ValueError:
        return False
    except RecursionError:  # too deep to be looked through
        return True


def mask(value: Any, *, name: str = "", declared: Collection[Path] = ()) -> Any:
    """`value` with every secret in it replaced by HIDDEN; equal to `value` where there is none.

    name: what the whole is called. declared: the paths that a schema declares secret, as `declared_in` gives them.
    Empty texts, null, true and false are shown: they tell nothing. An object with a secret in one of its keys is hidden
    as a whole.
    """
    return _mask(value, sounds_secret(name) or () in declared, declared, 0)


def mask_all(value: Any) -> Any:
    """`value` with everything hidden that may be a secret: for parameters of which no schema is known."""
    return _mask(value, True, (), 0)


def _mask(value: Any, hidden: bool, declared: Collection[Path], depth: int) -> Any:
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        if any(holds_secret(key) for key in value):
            return HIDDEN
        shown = {}
        beside = _is_named_secret(value)
        for key, item in value.items():
            below = _below(declared, key)
            named = sounds_secret(key) or (beside and fold(key) == "value")
            shown[key] = _mask(item, hidden or named or () in below, below, depth + 1)
        return shown
    if isinstance(value, list):
        below = _below(declared, ANY)
        return [_mask(item, hidden or () in below, below, depth + 1) for item in value]
    if isinstance(value, bool) or value in (None, ""):
        return value
    return HIDDEN if hidden or (isinstance(value, str) and holds_secret(value)) else value


def _is_named_secret(value: Mapping[str, Any]) -> bool:
    """Whether an object says of its "value" that it is secret, as lists of environment variables do."""
    names = (item for key, item in value.items() if fold(key) in NAMED_BY and isinstance(item, str))
    return any(sounds_secret(name) for name in names)


def _below(declared: Collection[Path], key: str) -> list[Path]:
    return [path[1:] for path in declared if path and path[0] in (key, ANY)]


def hidden_in(value: Any, masked: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What of `value` is hidden in `masked`, which `mask` made of it, with where it stands."""
    if isinstance(value, Mapping) and isinstance(masked, Mapping):
        for key in value:
            yield from hidden_in(value[key], masked[key], (*at, key))
    elif isinstance(value, list) and isinstance(masked, list):
        for index, (one, other) in enumerate(zip(value, masked, strict=True)):
            yield from hidden_in(one, other, (*at, str(index)))
    elif masked == HIDDEN and value != HIDDEN:
        yield at, value


def marks(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where HIDDEN itself stands in `value`: somebody sent back what was shown to them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from marks(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from marks(item, (*at, str(index)))
    elif value == HIDDEN:
        yield at
