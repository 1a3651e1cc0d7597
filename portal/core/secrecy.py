"""Finds secrets in parameters and variables and hides them: one rule for pages, API, trail, notes and logs.

A value is secret because of its own name, the name beside it (`{"name": "DB_PASSWORD", "value": ...}`), the name of an
object that contains it, the JSON Schema that declares it, or its content (an address with a password in it). `mask`
hides every such value. No other code decides this.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from portal.core import strict_json
from portal.core.lookalikes import looks
from portal.core.text import fold
from portal.core.token_text import COMPLETE

HIDDEN = "***"  # as Airflow writes it
ANY = "*"  # in a path: every element of an array, every property of an object
DEEPEST = 64  # levels that are searched; deeper values are hidden

Path = tuple[str, ...]

# DEFAULT_SENSITIVE_FIELDS of Airflow's secrets masker (3.3), and other common names of secrets. Compared with the name
# in lower case, words separated ("db_api_key"). LONG is also compared with the words joined ("dbapikey").
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
# "max_tokens" is a number of language-model tokens, not a secret
COUNTED = re.compile(r"(?:^|_)(?:max|min|num|number|count|limit|total|budget|length)(?:_|$)")
TOKENS = re.compile(r"tokens?")

# An address with a password, or with something longer than a user name, before its host.
USERINFO = re.compile(r"://(?:[^\s/@:]{0,256}:(?!\d{1,5}(?:[/?#]|$))[^\s@]{1,256}|[^\s/@:]{20,256})@")
NAMED_BY = ("name", "key")  # the properties that name the "value" beside them
PAIR = re.compile(r"""(?:^|[\s?&;,{("'])([^\W\d_][\w.-]{0,60}(?: [Kk]ey)?)["']?\s{0,4}[=:]\s{0,4}["']?[^\s"'&;,]""")
LOOKS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|\b(?:Bearer|Basic)\s+[\w+/=.~-]{8,}|\beyJ[\w-]{8,}\.eyJ[\w-]+\."
    r"|\b(?:gh[a-z]?_|github_pat_|glpat-|xox[a-z]-)\w{10,}",
    re.IGNORECASE,
)


@functools.lru_cache(4096)
def sounds_secret(name: str) -> bool:
    """Whether a value of this name is secret. Case does not matter; words may be joined, separated or in camel case;
    letters that look like ASCII letters count as those.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", unicodedata.normalize("NFKC", name))
    return any(_is_secret(spelling) for spelling in {fold(words), looks(words)})


def _is_secret(words: str) -> bool:
    words = re.sub(r"[\W_]+", "_", words).strip("_")
    if COUNTED.search(words):
        words = TOKENS.sub("", words)
    return bool(LONG.search(words) or LONG.search(words.replace("_", "")) or SHORT.search(words))


def holds_secret(text: str) -> bool:
    """Whether a text contains a credential, independent of its name: a URL with a password, a header, a private key."""
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
        value = json.loads(text, object_pairs_hook=strict_json.object_of)
        return mask(value) != value
    except ValueError:
        return False
    except (RecursionError, strict_json.GivenTwice):  # too deep to be searched; only one of two values would be seen
        return True


def mask(value: Any, *, name: str = "", declared: Collection[Path] = ()) -> Any:
    """`value` with every secret in it replaced by HIDDEN; equal to `value` if there is none.

    name: the name of the value. declared: the paths that a schema declares secret, from `declared_in`.
    Empty texts, null, true and false are shown, because they reveal nothing. An object with a secret in one of its keys
    is replaced completely.
    """
    return _mask(value, sounds_secret(name) or () in declared, declared, 0)


def mask_all(value: Any) -> Any:
    """`value` with every possible secret hidden, for parameters without a known schema."""
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
    """Whether an object names its "value" as a secret, as lists of environment variables do."""
    names = (item for key, item in value.items() if fold(key) in NAMED_BY and isinstance(item, str))
    return any(sounds_secret(name) for name in names)


def _below(declared: Collection[Path], key: str) -> list[Path]:
    return [path[1:] for path in declared if path and path[0] in (key, ANY)]


def hidden_in(value: Any, masked: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values that `mask` hid in `masked`, each with its path."""
    if isinstance(value, Mapping) and isinstance(masked, Mapping):
        for key in value:
            yield from hidden_in(value[key], masked[key], (*at, key))
    elif isinstance(value, list) and isinstance(masked, list):
        for index, (one, other) in enumerate(zip(value, masked, strict=True)):
            yield from hidden_in(one, other, (*at, str(index)))
    elif masked == HIDDEN and value != HIDDEN:
        yield at, value


def marks(value: Any, at: Path = ()) -> Iterator[Path]:
    """The paths at which `value` contains HIDDEN: somebody sent back a masked value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from marks(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from marks(item, (*at, str(index)))
    elif value == HIDDEN:
        yield at
