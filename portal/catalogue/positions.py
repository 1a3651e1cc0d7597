"""Finds the line of each value in a TOML text, for error messages. tomllib does not report lines.

The text is already known to be valid TOML. So this reader only follows the structure: tables, arrays of tables, dotted
and quoted keys, inline tables, arrays over several lines, and every kind of string.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'  # one or two quotes of the text may precede the end
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table, key and array item, by path, for example `("entitlements", 0, "risk")`."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}  # of arrays of tables

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip(_SPACE) and self.at < len(self.text):
            line = self._line()
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                table_key = self._key()
                self._value((*table, *table_key), line)
                self._note_parents((*table, *table_key), line)
                continue
            self._note_parents(table, line)
            self.found.setdefault(table, line)
        return self.found

    def _header(self) -> Path:
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        self._skip(_BLANK)
        names = self._dotted()
        self.at += 2 if many else 1
        path: Path = ()
        for index, name in enumerate(names):
            path = (*path, name)
            last = index == len(names) - 1
            if many and last:
                self.lengths[path] = self.lengths.get(path, 0) + 1
            if path in self.lengths:  # the name of an array of tables means its last table
                path = (*path, self.lengths[path] - 1)
        return path

    def _key(self) -> Path:
        names = self._dotted()
        self.at += 1  # the equals sign
        self._skip(_BLANK)
        return names

    def _dotted(self) -> tuple[str, ...]:
        names = []
        while True:
            self._skip(_BLANK)
            bare = _BARE.match(self.text, self.at)
            names.append(bare[0] if bare else self._quoted())
            self.at = bare.end() if bare else self.at
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(names)
            self.at += 1

    def _quoted(self) -> str:
        match = _STRING.match(self.text, self.at)
        assert match is not None, "a key is bare or quoted"
        self.at = match.end()
        return next(iter(tomllib.loads(f"{match[0]} = 0")))

    def _value(self, path: Path, line: int) -> None:
        self.found.setdefault(path, line)
        first = self.text[self.at]
        if first == "[":
            for index in self._items("]"):
                self._value((*path, index), self._line())
        elif first == "{":
            for _ in self._items("}"):
                line = self._line()
                key = self._key()
                self._value((*path, *key), line)
                self._note_parents((*path, *key), line)
        else:
            match = _STRING.match(self.text, self.at) or _PLAIN.match(self.text, self.at)
            assert match is not None, "a value is there"
            self.at = match.end()

    def _items(self, end: str) -> Iterator[int]:
        """Step from item to item of an array or inline table. The caller reads each item."""
        self.at += 1
        index = 0
        while True:
            self._skip(_SPACE)
            if self.text.startswith(end, self.at):
                self.at += 1
                return
            yield index
            index += 1
            self._skip(_SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1

    def _note_parents(self, path: Path, line: int) -> None:
        for length in range(1, len(path)):
            self.found.setdefault(path[:length], line)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return True

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
