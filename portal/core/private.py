"""File permissions: only the portal's own account may read its files."""

from __future__ import annotations

import logging
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

OTHERS = 0o077  # permission bits of group and others
NO_RESTART = 78  # EX_CONFIG: the supervisor does not restart a process with this exit code
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exposed:
    """A file or folder that other accounts may read or change."""

    path: Path
    mode: int

    def __str__(self) -> str:
        wanted = "700" if self.path.is_dir() else "600"
        return (
            f"Other accounts of this machine can open {self.path} (mode {self.mode:04o}). It holds what lets them sign "
            f"in: password hashes, sessions, keys. Run: chmod {wanted} {self.path}"
        )


def exposed() -> list[Exposed]:
    """The data folder, the database and the database's side files, if others may read or change them."""
    found = []
    for path in dict.fromkeys([settings.DATA_DIR, *_database(), *_inside()]):
        try:
            mode = stat.S_IMODE(path.lstat().st_mode)
        except OSError:  # missing, or deleted meanwhile
            continue
        if mode & OTHERS and not path.is_symlink():
            found.append(Exposed(path, mode))
    return found


def restrict() -> list[Exposed]:
    """Restrict the files that the portal created. Returns the others, which somebody else must restrict."""
    left = []
    for one in exposed():
        if one.path not in _created():
            left.append(one)
            continue
        try:
            one.path.chmod(one.mode & ~OTHERS)
        except OSError:
            left.append(one)
        else:
            log.warning("%s could be opened by other accounts (mode %04o); this is corrected now", one.path, one.mode)
    return left


def exit_if_exposed() -> None:
    """End the process with a message if others may open its files (see `restrict`)."""
    if left := restrict():
        sys.stderr.write("".join(f"{one}\n" for one in left))
        sys.exit(NO_RESTART)


def _database() -> list[Path]:
    config = settings.DATABASES["default"]
    if config["ENGINE"] != "django.db.backends.sqlite3":
        return []
    return [Path(f"{config['NAME']}{end}") for end in ("", "-wal", "-shm", "-journal")]


def _inside() -> list[Path]:
    """The portal's files in its data folder, without static files, which everybody may read."""
    folder: Path = settings.DATA_DIR
    try:
        entries = [path for path in folder.iterdir() if path != settings.STATIC_ROOT]
    except OSError:
        return []
    return [each for path in entries for each in (path, *(_below(path) if path.is_dir() else ()))]


def _below(folder: Path) -> list[Path]:
    return [Path(where) / name for where, folders, files in os.walk(folder) for name in (*folders, *files)]


def _created() -> set[Path]:
    """The files that the portal created: all in the data folder, and the folder itself if it is the default one."""
    made = {path for path in [*_inside(), *_database()] if settings.DATA_DIR in path.parents}
    return made | ({settings.DATA_DIR} if settings.DATA_DIR == settings.BASE_DIR / ".data" else set())
