"""docs/bridge.md: its examples run, in order, and do what they say; it names all that is public and nothing else."""

from __future__ import annotations

import builtins
import inspect
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import airflow_bridge
from airflow_bridge import Airflow, errors
from airflow_bridge.capabilities import WHAT
from airflow_bridge.cli import main
from tests import fake_airflow as fakes
from tests.bridge.conftest import Waits
from tests.fake_airflow import FakeAirflow, FakeDag, FakeQuestion, FakeRun

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "bridge.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
CODE = "\n".join(re.findall(r"`([^`]+)`", PROSE))
CALLS = [
    name
    for name, one in inspect.getmembers(Airflow)
    if not name.startswith("_") and (callable(one) or type(one) is property)
]


def blocks(kind: str) -> list[tuple[int, str]]:
    """(line before it, text) of each."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [(TEXT.count("\n", 0, block.start(2)), block[2]) for block in found if block[1] == kind]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> Iterator[FakeAirflow]:
    """What the page takes for granted; runs end well as soon as somebody waits."""
    with FakeAirflow() as fake:
        fake.add_user("alice", roles=["Viewer"])
        fake.state.dags["nightly_load"] = FakeDag("nightly_load", schedule="0 2 * * *")
        fake.state.runs.append(FakeRun("payroll_close", "november", datetime.now(UTC), {}, None, state="running"))
        fake.ask(FakeQuestion("payroll_close", "november", "close_books", "Publish the figures?", ["Yes", "No"]))
        waits.meanwhile = lambda: fake.set_run_states("success")
        monkeypatch.setenv("AIRFLOW_URL", fake.url)
        monkeypatch.setenv("AIRFLOW_USERNAME", fake.admin[0])
        monkeypatch.setenv("AIRFLOW_PASSWORD", fake.admin[1])
        yield fake


def test_every_example_does_what_it_says(world: FakeAirflow, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for line, text in blocks("python"):
        # as many empty lines before it, so that a traceback shows its place on the page
        exec(compile("\n" * line + text, str(PAGE), "exec"), names)
        printed = capsys.readouterr().out.splitlines()
        assert printed == re.findall(r"# -> (.*)$", text, re.MULTILINE), f"after line {line} of {PAGE.name}"


def test_every_command_runs(world: FakeAirflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(world.admin[1])
    ((_, text),) = blocks("sh")
    given: dict[str, str] = {}
    commands = []
    for line in text.splitlines():
        words = shlex.split(line)
        if words[:1] == ["export"]:
            given.update(word.split("=", 1) for word in words[1:])
        elif words:
            assert words[:3] == ["python", "-m", "airflow_bridge"]
            commands.append(words[3:])
    assert {"AIRFLOW_URL", "AIRFLOW_USERNAME", "AIRFLOW_PASSWORD_FILE"} == set(given)
    here = {"AIRFLOW_URL": world.url, "AIRFLOW_USERNAME": world.admin[0], "AIRFLOW_PASSWORD_FILE": str(secret)}
    assert [main(command, here) for command in commands] == [0] * len(commands)
    assert {command[0] for command in commands} == {"check", "users", "roles", "trigger", "runs"}
    assert capsys.readouterr().err == ""


def test_all_that_is_public_is_on_the_page() -> None:
    assert not [name for name in airflow_bridge.__all__ if not re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PROSE)]
    assert not [name for name in CALLS if not re.search(rf"\b{name}\b", TEXT)]
    for name in inspect.signature(airflow_bridge.connect).parameters:
        assert re.search(rf"\b{name}\b", TEXT), name


def test_nothing_else_is_on_the_page() -> None:
    """Names of classes, and of calls, that are written as code."""
    known = {*airflow_bridge.__all__, *fakes.__all__, *dir(builtins), "RateLimit", "Retry", "After"}
    classes = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", CODE))
    classes |= set(re.findall(r"^([A-Z][a-z]\w+)$", CODE, re.MULTILINE))
    airflows_own = {"Users"}
    assert classes - known - airflows_own == set()
    assert {name for name in re.findall(r"\bairflow\.(\w+)", TEXT) if name not in CALLS} <= {"example", "read"}
    for name in re.findall(r"^([a-z_]+)\(\)?", CODE, re.MULTILINE):
        assert name in CALLS
    assert set(re.findall(r'\.can\("(\w+)"\)', TEXT)) <= set(WHAT)


def test_the_tree_of_errors_is_the_real_one() -> None:
    ((_, tree),) = [block for block in blocks("") if "BridgeError" in block[1]]
    stack: list[tuple[int, type[Exception]]] = []
    drawn = set()
    for line in tree.splitlines():
        name = re.search(r"\w+", line)[0]
        depth, error = line.index(name) // 4, getattr(errors, name)
        drawn.add(error)
        stack = [one for one in stack if one[0] < depth] + [(depth, error)]
        if depth:
            assert error.__bases__ == (stack[-2][1],), name
        assert depth == 0 or re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE), f"{name} is not in the table"
    there = {one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.BridgeError)}
    assert drawn == there
