"""What the contract is held against: a fake of each release and each release itself, and which case runs where.

A case that asks for `target`, `server` or a client runs on the fakes of the two main releases and on these releases
themselves, with the two least-privilege accounts. On the fakes of the other releases runs what may be different there
(marked `needs`). With --all-releases everything runs on every fake, on those of the main releases as administrator as
well. Marks say otherwise:

    needs("users", ...)   only where the target can do that (that the rest is refused: test_what_is_missing.py)
    everywhere            also on the three other real releases, and on the main ones as administrator; for cheap cases
    separate              only where access and runs have an account each, for cases about what one of them may not do
    once                  not a second time as administrator, for what an account cannot matter to, or what takes long

The fixture `fake`, for oddities that no real server shows on demand, leaves the real ones out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

MAIN = ("3.3.2", "2.11.2")
OTHERS = ("3.1.6", "3.0.6", "3.3.2-simple")
NO_FAB = (
    "fields_alone",
    "users",
    "roles",
    "role_edits",
    "role_shrinking",
    "dag_permissions",
    "access_control",
    "permission_list",
    "blank_names",
    "only_adding",
    "old_people",
    "broken_roles",
    "every_date",
)
# as they are known to be, not as the bridge finds them
CANNOT: Mapping[str, tuple[str, ...]] = {
    "3.3.2": ("broken_roles", "old_people", "blank_names", "only_adding", "every_date"),
    "2.11.2": (
        "backfills",
        "broken_roles",
        "fields_alone",
        "human_tasks",
        "allowed_run_types",
        "tokens",
        "null_date",
        "role_shrinking",
        "permission_list",
        "param_order",
    ),
    "3.1.6": (
        "fields_alone",
        "every_date",
        "allowed_run_types",
        "role_edits",
        "only_adding",
        "role_shrinking",
        "permission_list",
    ),
    "3.0.6": (
        "broken_roles",
        "fields_alone",
        "every_date",
        "allowed_run_types",
        "human_tasks",
        "role_shrinking",
        "permission_list",
    ),
    "3.3.2-simple": NO_FAB,
}
DIFFERS = frozenset(what for release in OTHERS for what in CANNOT[release])
MARKS = {
    "needs(*what)": "only on targets that can do all of this",
    "everywhere": "on all real releases, and as administrator there, too",
    "separate": "only where access and runs have an account each",
    "once": "not a second time as administrator",
}


@dataclass(frozen=True)
class Target:
    release: str
    real: bool = False
    as_admin: bool = False
    """Whether the administrator does the work of the accounts for access and for runs."""

    @property
    def api(self) -> str:
        return "v1" if self.release.startswith("2.") else "v2"

    def can(self, what: str) -> bool:
        return what not in CANNOT[self.release]

    def __str__(self) -> str:
        return f"{'real' if self.real else 'fake'}-{self.release}{'-as-admin' if self.as_admin else ''}"


def _all() -> Iterator[Target]:
    for real in (False, True):
        for release in (*MAIN, *OTHERS):
            for as_admin in (False, True):
                if not as_admin or release in MAIN:
                    yield Target(release, real, as_admin)


TARGETS = list(_all())


def of(metafunc: pytest.Metafunc, *, every_fake: bool) -> list[Target]:
    """The targets of a case."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    needs = {what for mark in metafunc.definition.iter_markers("needs") for what in mark.args}
    found = [target for target in TARGETS if all(target.can(what) for what in needs)]
    if "fake" in metafunc.fixturenames:
        found = [target for target in found if not target.real]
    if "everywhere" not in marks:  # what is not cheap is done once by each main release
        found = [target for target in found if not target.real or (target.release in MAIN and not target.as_admin)]
    if not every_fake:
        found = [one for one in found if one.real or (one.release in MAIN and not one.as_admin) or needs & DIFFERS]
    if "separate" in marks:
        found = [target for target in found if target.can("users")]
    if "separate" in marks or "once" in marks:
        found = [target for target in found if not target.as_admin]
    return found
