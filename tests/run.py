"""`make test`: the checks and tests, each step with one line of result and time; fails if any failed.

What it leaves out (`make test-releases`), it says at the end.

The Makefile has installed the development requirements by then. As root on Debian this installs the system packages
that real servers and a real browser need; elsewhere it prints the one line that does, runs the rest and says what was
not run. With CI=true whatever was not run is a failure.

    python -m tests.run               everything that `make test` runs
    python -m tests.run ruff mypy     only the steps whose name holds one of these words
    python -m tests.run --releases    what `make test-releases` runs: the older releases of Airflow, the simple auth
                                      manager and the long random campaigns. Run it when the bridge, its tests or the
                                      locks of the Airflows have changed.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from tests.contract.targets import MAIN, OTHERS

HOME = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CI = os.environ.get("CI", "").lower() in ("1", "true")
PACKAGES = {  # what must be there, and the Debian package that brings it
    "chromium": "chromium",
    "initdb": "postgresql",
    "redis-server": "redis-server",
}
# what depends on the database: locks, conditional updates, triggers, text search, row values, the database's clock; and
# each page once. Tests that bear the mark any_database are left to SQLite.
ON_POSTGRES = (
    "tests/concurrency",
    "tests/guards/test_every_page.py::test_who_may_look",
    "tests/unit/operations",
    "tests/unit/audit",
    "tests/unit/approvals",
    "tests/unit/access",
    "tests/unit/accounts",
    "tests/unit/airflow",
    "tests/unit/dags",
    "tests/unit/worker/test_engine.py",
    "tests/unit/test_clock.py",
    "tests/api/test_idempotency.py",
    "tests/api/test_paging.py",
)
MIGRATED = "migrated.sqlite3"
SLOWEST = 10  # files that are named at the end
PROGRESS_EVERY = 60.0  # seconds
CLOSING = re.compile(r"^=+ (?P<counts>.*) in (?P<seconds>[\d.]+)s.* =+$")
COUNT = re.compile(r"(\d+) (\w+)")
PERCENT = re.compile(r"\[ *(\d+)%\]")


@dataclass
class Step:
    """One line of the result. `needs` are keys of PACKAGES without which it cannot run."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    single: bool = False
    """Busies one processor: two such steps that follow each other run side by side."""
    releases: bool = False
    """Belongs to `make test-releases`."""

    @property
    def is_pytest(self) -> bool:
        return "pytest" in self.command


def tool(name: str, *arguments: str) -> list[str]:
    return [str(BIN / name), *arguments]


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "--no-header", "--tb=short", *arguments]


def steps(folder: Path) -> list[Step]:
    templates = sorted(str(path.relative_to(HOME)) for path in (HOME / "templates").rglob("*.html"))
    tests = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    production = {
        "GATEHOUSE_DATA_DIR": str(folder / "production"),
        "GATEHOUSE_PUBLIC_URL": "https://gatehouse.example.com",
        "GATEHOUSE_ALLOWED_HOSTS": "gatehouse.example.com",
        "GATEHOUSE_TRUSTED_PROXIES": "10.0.0.5",
        "GATEHOUSE_SECRET_KEY": "".join(os.urandom(40).hex()),
    }
    postgres = python("-m", "tests.services", "postgres", "--")
    checks = [
        # it ends without clearing up after itself, so what tests/settings.py makes for it goes where it is cleared up
        Step("mypy", tool("mypy"), {"TMPDIR": str(folder)}),
        Step("ruff format", tool("ruff", "format", "--check", ".")),
        Step("ruff check", tool("ruff", "check", ".")),
        Step("import rules", tool("lint-imports", "--no-cache")),
        Step("templates", tool("djade", "--target-version", "5.2", "--check", *templates)),
        Step(
            "migrated database",  # which the tests on SQLite copy
            python("manage.py", "migrate", "--verbosity", "0"),
            {**tests, "TEST_DATABASE_URL": f"sqlite:///{folder / MIGRATED}"},
        ),
        Step("migrations", python("manage.py", "makemigrations", "--check", "--dry-run"), tests),
        Step("deployment check", python("manage.py", "check", "--deploy", "--fail-level", "WARNING"), production),
    ]
    airflows = [
        Step(
            f"tests with Airflow {release}",
            pytest("-m", f"real_airflow(release='{release}')", *(["tests"] if release in MAIN else ["tests/contract"])),
            needs=("chromium", "initdb") if release in MAIN else ("initdb",),
            single=True,
            releases=release not in MAIN,
        )
        for release in (*MAIN, *OTHERS)
    ]
    return [
        *(replace(check, single=True) for check in checks),
        Step(
            "tests on SQLite",
            pytest("-n", "2", "-m", "not e2e and not real_airflow and not postgres", "--ignore=tests/faults"),
        ),
        # these wait for most of their time
        Step("tests of faults", pytest("-n", "4", "-m", "not real_airflow", "tests/faults")),
        Step("tests on PostgreSQL", postgres + pytest("-n", "2", *ON_POSTGRES), needs=("initdb",)),
        Step("tests in a browser", pytest("-n", "2", "-m", "e2e and not real_airflow"), needs=("chromium",)),
        *airflows,
        Step(
            "contract of all releases",
            pytest("-n", "2", "--all-releases", "-m", "not real_airflow", "tests/contract"),
            releases=True,
        ),
        Step(
            "random campaigns",
            pytest("-n", "2", "--all-releases", "-m", "not real_airflow", "tests/faults/test_campaign.py"),
            releases=True,
        ),
    ]


# --- what has to be there --------------------------------------------------------------------------------------------
def is_there(program: str) -> bool:
    return bool(shutil.which(program) or glob.glob(f"/usr/lib/postgresql/*/bin/{program}"))


def install_packages() -> list[str]:
    """Install what PACKAGES says is missing, where that is ours to do; what is still missing afterwards."""
    missing = [program for program in PACKAGES if not is_there(program)]
    if not missing:
        return []
    packages = sorted(PACKAGES[program] for program in missing)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if Path("/etc/debian_version").exists() and os.geteuid() == 0:
        say(f"installing {', '.join(packages)} ...")
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        if subprocess.run(["apt-get", "update", "--quiet"], **quiet).returncode == 0:  # type: ignore[call-overload]
            subprocess.run(install, **quiet)  # type: ignore[call-overload]
    else:
        say(f"missing on this machine: {', '.join(packages)}. This installs them:  sudo {' '.join(install)}")
    return [program for program in missing if not is_there(program)]


# --- running ---------------------------------------------------------------------------------------------------------
@dataclass
class Result:
    step: Step
    outcome: str  # "ok", "FAILED" or "not run"
    seconds: float = 0.0
    output: str = ""
    skipped: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str, float] = field(default_factory=dict)
    """Seconds by test file."""


def run(step: Step, missing: list[str], folder: Path) -> Result:
    lacking = [PACKAGES[program] for program in step.needs if program in missing]
    if lacking:
        return Result(step, "not run", skipped=[f"{step.name}: {', '.join(lacking)} not installed"])
    report = folder / f"{step.name.replace(' ', '-')}.xml"
    command = [*step.command, "-o", "junit_family=xunit1", f"--junit-xml={report}"] if step.is_pytest else step.command
    began = time.monotonic()
    # compiled modules are kept: the tests start a hundred processes, and without them each would compile its own
    more = {"PYTHONDONTWRITEBYTECODE": "", "TEST_MIGRATED": str(folder / MIGRATED)}
    code, output = follow(step.name, command, {**os.environ, **more, **step.env})
    result = Result(step, "FAILED" if code else "ok", time.monotonic() - began, output)
    if step.is_pytest:
        read_pytest(result, code)
        result.files = seconds_by_file(report)
    return result


def follow(name: str, command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a command, with a line of progress each minute; its exit code and what it printed."""
    began = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=HOME, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lines.extend, args=[process.stdout], daemon=True)
        reader.start()
        while True:
            reader.join(PROGRESS_EVERY)
            if not reader.is_alive():
                break
            found = [match[1] for line in lines[-50:] for match in PERCENT.finditer(line)]
            say(f"  ... {name}: {found[-1] + ' %' if found else 'started'} after {time.monotonic() - began:.0f} s")
    return process.returncode, "".join(lines)


def seconds_by_file(report: Path) -> dict[str, float]:
    """Of a JUnit report of pytest (xunit1)."""
    found: defaultdict[str, float] = defaultdict(float)
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            found[case.get("file", "?")] += float(case.get("time", 0))
    return found


def read_pytest(result: Result, code: int) -> None:
    lines = result.output.splitlines()
    for line in lines:
        if (match := CLOSING.match(line)) is not None:
            result.counts = Counter({word: int(number) for number, word in COUNT.findall(match["counts"])})
    result.skipped = [
        line.partition("not run: ")[2] for line in lines if line.startswith("SKIPPED") and "not run: " in line
    ]
    if code == 5:  # pytest collected nothing: a part of the suite is gone
        result.output += "\nno test was found"


def say(text: str) -> None:
    print(text, flush=True)


def show(result: Result) -> None:
    counted = ", ".join(f"{number} {word}" for word, number in result.counts.items())
    say(f"  {result.step.name:<32}{result.outcome:<10}{result.seconds:>7.1f} s  {counted}".rstrip())
    if result.outcome == "FAILED":
        say("\n".join(f"      {line}" for line in result.output.splitlines()[-200:]))


def main(words: list[str]) -> int:
    releases = "--releases" in words
    words = [word for word in words if not word.startswith("-")]
    missing = install_packages()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-tests-") as folder:
        chosen = [
            step
            for step in steps(Path(folder))
            if (any(word in step.name for word in words) if words else step.releases == releases)
        ]
        results = []
        for single, row in itertools.groupby(chosen, key=lambda step: step.single):
            with ThreadPoolExecutor(2 if single else 1) as pool:
                for result in pool.map(lambda step: run(step, missing, Path(folder)), row):
                    results.append(result)
                    show(result)
    failed = [result.step.name for result in results if result.outcome == "FAILED"]
    left_out = [words for result in results for words in result.skipped]
    for reason in left_out:
        say(f"NOT RUN: {reason}")
    if failed:
        say(f"FAILED: {', '.join(failed)}")
    elif left_out and CI:
        say("FAILED: with CI=true everything must run")
    seconds_of: defaultdict[str, float] = defaultdict(float)
    for name, seconds in (entry for result in results for entry in result.files.items()):
        seconds_of[name] += seconds
    if slowest := sorted(seconds_of.items(), key=lambda entry: -entry[1])[:SLOWEST]:
        say("slowest files: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest))
    if not releases and not words:
        others = ", ".join(step.name for step in steps(Path()) if step.releases)
        say(f"not part of make test, but of make test-releases: {others}")
    say(closing_line(results, time.monotonic() - began))
    return 1 if failed or (left_out and CI) else 0


def closing_line(results: list[Result], seconds: float) -> str:
    """The sum of all test runs, as pytest ends each of them."""
    total: Counter[str] = sum((result.counts for result in results), Counter())
    ordered = sorted(
        total,
        key=lambda word: (
            ("failed", "error", "errors", "passed").index(word)
            if word in ("failed", "error", "errors", "passed")
            else 9
        ),
    )
    counts = ", ".join(f"{total[word]} {word}" for word in ordered) or "no tests ran"
    return f" {counts} in {seconds:.2f}s ".center(80, "=")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
