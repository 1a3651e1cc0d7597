"""`make bench`: measures, prints a table and writes it to benchmarks/results.md.

RUNS=5          how often each is measured, after one run that is not
AIRFLOW=real    against a real Airflow 3.3.2 instead of the stand-in, printed only
ONLY=users      the cases whose name holds this word, printed only
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks import servers
from benchmarks.environments import HOME, NotInstalled, official
from benchmarks.servers import Server

CLIENTS = {
    "bare": "bare httpx loop",
    "bridge": "the bridge",
    "official_2": "apache-airflow-client 2.10",
    "official_3": "apache-airflow-client 3.3",
}
WORDS = {
    "users_2": "list {count:,} users, Airflow 2",
    "users_3": "list {count:,} users, Airflow 3",
    "dags": "list {count:,} DAGs, Airflow 3",
    "reads": "{count} single reads, one after another",
    "reads_at_once": "{count} single reads by 8 threads",
}


@dataclass(frozen=True)
class Case:
    what: str
    count: int
    clients: tuple[str, ...]
    latency: float = 0.0

    def __str__(self) -> str:
        words = WORDS[self.what].format(count=self.count)
        return f"{words}, {self.latency * 1000:.0f} ms per answer" if self.latency else words

    @property
    def lists(self) -> dict[str, int]:
        """How many users and DAGs there have to be."""
        return {"users": self.count, "dags": 1} if self.what.startswith("users") else {"users": 1, "dags": self.count}


@dataclass
class Measured:
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    requests: int | None = None


def cases(latency: float) -> list[Case]:
    three = ("bare", "bridge", "official_3")
    return [
        Case("users_3", 10_000, ("bare", "bridge"), latency),
        Case("dags", 1_000, three, latency),
        Case("reads", 200, three, latency),
        Case("reads_at_once", 200, three, latency),
    ]


def for_memory() -> list[Case]:
    """Beside the 10,000 of the others."""
    old = Case("users_2", 10_000, ("bare", "bridge", "official_2"))
    return [old, *(Case("users_3", count, ("bare", "bridge")) for count in (1_000, 50_000))]


def for_real() -> list[Case]:
    three = ("bare", "bridge", "official_3")
    some = [Case(what, 200, three) for what in ("dags", "reads", "reads_at_once")]
    return [Case("users_3", 1_000, ("bare", "bridge")), *some]


def measure(case: Case, server: Server, *, runs: int) -> dict[str, Measured]:
    """Round by round, so that whatever else the machine does meets all of them; the first round only warms up."""
    found: dict[str, Measured] = defaultdict(Measured)
    for number in range(runs + 1):
        for client in case.clients:
            server.requests()
            said = run(client, case, server.url)
            if number:
                found[client].seconds.append(said["seconds"])
                found[client].cpu.append(said["cpu"])
                found[client].memory.append(said["memory"])
            found[client].requests = server.requests()
    return found


def run(client: str, case: Case, url: str) -> dict[str, float]:
    python = official(int(client[-1])) if client.startswith("official") else Path(sys.executable)
    done = subprocess.run(
        [str(python), "-m", f"benchmarks.clients.{client}", case.what, url, str(case.count)],
        cwd=HOME,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
    )
    if done.returncode:
        raise SystemExit(f"{CLIENTS[client]}: {case} failed:\n{done.stderr}")
    return json.loads(done.stdout)


HEAD = ("case", "client", "min s", "median s", "max s", "of bare", "CPU s", "peak MB", "requests")


def rows(case: Case, found: dict[str, Measured]) -> list[tuple[str, ...]]:
    """For the table. "of bare": the quickest run against the quickest of the bare loop."""
    table = []
    for client, measured in found.items():
        seconds = measured.seconds
        table.append(
            (
                str(case) if client == case.clients[0] else "",
                CLIENTS[client],
                *(f"{value:.2f}" for value in (min(seconds), median(seconds), max(seconds))),
                f"{min(seconds) / min(found['bare'].seconds):.2f}",
                f"{min(measured.cpu):.2f}",
                f"{median(measured.memory) / 1e6:.1f}",
                "" if measured.requests is None else str(measured.requests),
            )
        )
    return table


def table(lines: list[tuple[str, ...]]) -> str:
    """As Markdown that can be read as it is."""
    widths = [max(len(line[column]) for line in (HEAD, *lines)) for column in range(len(HEAD))]
    align = [str.ljust, str.ljust, *[str.rjust] * (len(HEAD) - 2)]

    def shown(line: tuple[str, ...]) -> str:
        return f"| {' | '.join(put(cell, width) for put, cell, width in zip(align, line, widths, strict=True))} |"

    rule = "|".join("-" * (width + 1) + ("-" if column < 2 else ":") for column, width in enumerate(widths))
    return "\n".join([shown(HEAD), f"|{rule}|", *map(shown, lines)])


def about(runs: int) -> str:
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}, httpx {version('httpx')}; {runs} runs of each after one to warm up, "
        f"each a process of its own. The machine's load at the end: {os.getloadavg()[0]:.0f}."
    )


def main() -> None:
    runs, is_real, only = int(os.environ.get("RUNS") or 5), os.environ.get("AIRFLOW") == "real", os.environ.get("ONLY")
    plan = for_real() if is_real else [*cases(0.0), *cases(0.02), *for_memory()]
    plan = [case for case in plan if not only or only in str(case)]
    lines: list[tuple[str, ...]] = []
    try:
        if is_real:
            with servers.real(users=1_000, dags=200) as server:
                lines = [line for case in plan for line in _shown(case, server, runs)]
        else:
            for case in plan:
                started: AbstractContextManager[Server] = servers.stand_in(latency=case.latency, **case.lists)
                with started as server:
                    lines += _shown(case, server, runs)
    except NotInstalled as error:
        raise SystemExit(f"Apache's clients cannot be installed: {error}") from None
    sys.stdout.write(f"\n{about(runs)}\n\n{table(lines)}\n")
    if not (is_real or only):
        text = f"# Results of `make bench`\n\n{about(runs)}\nWhat is measured, and how to read it: README.md.\n\n"
        (HOME / "benchmarks" / "results.md").write_text(f"{text}{table(lines)}\n")


def _shown(case: Case, server: Server, runs: int) -> list[tuple[str, ...]]:
    sys.stdout.write(f"  {case} ...\n")
    sys.stdout.flush()
    found = measure(case, server, runs=runs)
    sys.stdout.write("".join(f"    {CLIENTS[client]}: {min(one.seconds):.2f} s\n" for client, one in found.items()))
    return rows(case, found)


if __name__ == "__main__":
    main()
