"""What is wrong with a file, each with its line, its key, the reason and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.core.errors import GatehouseError


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing wrong. `line` is 0 where the whole file is meant; `key` is its place, as in `policies.fast.stages`."""

    line: int
    key: str
    reason: str

    def at(self, file: str) -> str:
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.key}: {self.reason}" if self.key else f"{place}: {self.reason}"


class FileRefused(GatehouseError):
    """The file is refused whole (422): nothing of it is put in force."""

    status = 422
    title = "The catalogue's file is refused"

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = sorted(mistakes)
        count = len(self.mistakes)
        head = f"{file} is refused: {count} mistake{'' if count == 1 else 's'}, nothing was changed."
        super().__init__("\n".join([head, *(mistake.at(file) for mistake in self.mistakes)]), reason="mistakes_in_file")
