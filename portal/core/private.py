"""Who may read the portal's files: the account it runs as, and nobody else on the machine."""

from __future__ import annotations

import logging
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

OTHERS = 0o077  # what group and others may do
STAY_DOWN = 78  # EX_CONFIG: the supervisor does not start such a process again
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loose:
    """A file or folder that others may read or change."""

    path: Path
    mode: int

    def __str__(self) -> str:
        wanted = "700" if self.path.is_dir() else "600"
        return (
            f"{self.path} is open to other accounts of this machine (mode {self.mode:04o}), and holds what lets them "
            f"in: password hashes, sessions, keys. Run: chmod {wanted} {self.path}"
        )


def loose() -> list[Loose]:
    """The data folder, the database and what lies beside it, where others may read or change them."""
    found = []
    for path in dict.fromkeys([settings.DATA_DIR, *_database(), *_inside()]):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except OSError:  # not there, or gone meanwhile
            continue
        if mode & OTHERS and not path.is_symlink():
            found.append(Loose(path, mode))
    return found


def tighten() -> list[Loose]:
    """Close what the portal made itself; what is left open is somebody's own and told."""
    left = []
    for one in loose():
        if one.path not in _made():
            left.append(one)
            continue
        try:
            one.path.chmod(one.mode & ~OTHERS)
        except OSError:
            left.append(one)
        else:
            log.warning("%s was open to other accounts (mode %04o) and is closed now", one.path, one.mode)
    return left


def stay_down_where_loose() -> None:
    """End the process with words where its files are open to others (see `tighten`)."""
    if left := tighten():
        sys.stderr.write("".join(f"{one}\n" for one in left))
        sys.exit(STAY_DOWN)


def _database() -> list[Path]:
    config = settings.DATABASES["default"]
    if config["ENGINE"] != "django.db.backends.sqlite3":
        return []
    return [Path(f"{config['NAME']}{end}") for end in ("", "-wal", "-shm", "-journal")]


def _inside() -> list[Path]:
    """What the portal keeps in its data folder; static files are for everybody."""
    folder: Path = settings.DATA_DIR
    try:
        entries = [path for path in folder.iterdir() if path != settings.STATIC_ROOT]
    except OSError:
        return []
    return [each for path in entries for each in (path, *(_below(path) if path.is_dir() else ()))]


def _below(folder: Path) -> list[Path]:
    return [Path(where) / name for where, folders, files in os.walk(folder) for name in (*folders, *files)]


def _made() -> set[Path]:
    """What is the portal's own: everything in the data folder, and that folder where nobody named another."""
    made = {path for path in [*_inside(), *_database()] if settings.DATA_DIR in path.parents}
    return made | ({settings.DATA_DIR} if settings.DATA_DIR == settings.BASE_DIR / ".data" else set())
