"""Mistakes in a file, each with line, key, reason, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.core.errors import GatehouseError


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake. `line` is 0 if it concerns the complete file. `key`: its place, as in `policies.fast.stages`."""

    line: int
    key: str
    reason: str

    def at(self, file: str) -> str:
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"


class FileRefused(GatehouseError):
    """The file is refused (422): no part of it is put in force."""

    status = 422
    title = "The catalogue file is refused"

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes)
        count = len(self.mistakes)
        head = f"{file} is refused: {count} mistake{'' if count == 1 else 's'}, nothing was changed."
        super().__init__("\n".join([head, *(mistake.at(file) for mistake in self.mistakes)]), reason="mistakes_in_file")
