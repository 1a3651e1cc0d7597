"""Airflow's own environment is installed once, by one process, and anew after an interruption or for another lock."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from portal.demo.airflow import NotInstalled, Release, environment


class Empty(Release):
    """A release of nothing, with a lock in a place of its own."""

    @property
    def lock(self) -> Path:
        return LOCK[0]


LOCK: list[Path] = []


@pytest.fixture
def release(tmp_path: Path) -> Release:
    LOCK[:] = [tmp_path / "lock.txt"]
    LOCK[0].write_text("# nothing\n")
    return Empty(version="0", api="v2", health="", parts=(), components={}, settings={})


def install(folder: Path, release: Release) -> tuple[Path, list[str]]:
    said: list[str] = []
    return environment.ensure_environment(folder, said.append, release=release), said


def test_it_is_installed_once(tmp_path: Path, release: Release) -> None:
    python, said = install(tmp_path / "environment", release)
    assert python.exists()
    assert len(said) == 1
    assert install(tmp_path / "environment", release) == (python, [])


def test_by_one_of_two_at_once(tmp_path: Path, release: Release) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: install(tmp_path / "environment", release), range(2)))
    assert both[0][0] == both[1][0]
    assert sum("(once)" in line for _, said in both for line in said) == 1


@pytest.mark.parametrize("change", ["interrupted", "another lock"])
def test_it_is_made_anew(tmp_path: Path, release: Release, change: str) -> None:
    folder = tmp_path / "environment"
    install(folder, release)
    leftover = folder / "leftover"
    leftover.touch()
    if change == "interrupted":
        (folder / "complete").unlink()
    else:
        release.lock.write_text("# something else\n")
    again, said = install(folder, release)
    assert again.exists()
    assert len(said) == 1
    assert not leftover.exists()


def test_it_is_made_anew_where_it_was_moved_to(tmp_path: Path, release: Release) -> None:
    install(tmp_path / "old place", release)
    program = tmp_path / "old place" / "bin" / "airflow"
    program.write_text(f"#!{program.with_name('python')}\n")
    assert install(tmp_path / "old place", release)[1] == []
    (tmp_path / "old place").rename(tmp_path / "new place")
    _, said = install(tmp_path / "new place", release)
    assert len(said) == 1
    assert not (tmp_path / "new place" / "bin" / "airflow").exists()


def test_what_cannot_be_installed_says_why(tmp_path: Path, release: Release) -> None:
    release.lock.write_text("./no-such-package.whl --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(NotInstalled, match="no-such-package"):
        install(tmp_path / "environment", release)
    assert not (tmp_path / "environment" / "complete").exists()


def test_a_full_disk_is_said_before_anything_is_done(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SPACE_NEEDED", 10**12)
    with pytest.raises(NotInstalled, match="MB are free"):
        install(tmp_path / "environment", release)
    assert not (tmp_path / "environment").exists()


@pytest.fixture
def newer_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """We run under a Python newer than the release; gives the folder that programs are found in."""
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", str(found))
    ours = SimpleNamespace(version_info=(3, 14, 2), version="3.14.2 (main)", executable=sys.executable)
    monkeypatch.setattr(environment, "sys", ours)
    return found


def test_a_python_that_is_not_too_new_is_used_where_there_is_one(
    tmp_path: Path, release: Release, newer_python: Path
) -> None:
    (newer_python / "python3.11").symlink_to(sys.executable)
    python, _ = install(tmp_path / "environment", replace(release, newest_python=(3, 12)))
    assert python.exists()
    assert "python 3.11" in (tmp_path / "environment" / "complete").read_text()


def test_where_there_is_none_it_says_which_is_needed(tmp_path: Path, release: Release, newer_python: Path) -> None:
    with pytest.raises(NotInstalled, match=r"runs under Python 3\.12 or 3\.11; this is 3\.14\.2"):
        install(tmp_path / "environment", replace(release, newest_python=(3, 12)))
    assert not (tmp_path / "environment").exists()
