"""`python -m airflow_bridge`: what it writes, where, and with which exit code."""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_bridge.cli import main
from tests.bridge.certificates import Authority
from tests.bridge.conftest import Waits
from tests.bridge.loopback import Reply, loopback
from tests.conftest import missing
from tests.fake_airflow import FakeAirflow

HOME = Path(__file__).resolve().parent.parent.parent
SECRET = "the p@ssword: ö"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def environ(fake: FakeAirflow) -> dict[str, str]:
    fake.add_user("boss", password=SECRET, roles=["Admin"])
    return {"AIRFLOW_URL": fake.url, "AIRFLOW_USERNAME": "boss", "AIRFLOW_PASSWORD": SECRET}


@pytest.fixture
def run(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    """run("users", "--json") gives the exit code, what was written and what was said; `environ` may be changed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments, environ)
        written = capsys.readouterr()
        assert SECRET not in written.out + written.err
        assert "Traceback" not in written.err
        return code, written.out, written.err

    return run


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# --- which Airflow, and who we are -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"AIRFLOW_URL": None}, "AIRFLOW_URL is not set"),
        ({"AIRFLOW_URL": "airflow.example.com"}, "AIRFLOW_URL is not right"),
        ({"AIRFLOW_URL": "https://boss:s3cret@airflow.example.com"}, "AIRFLOW_URL is not right"),
        ({"AIRFLOW_URL": "http://airflow.example.com"}, "AIRFLOW_ALLOW_PLAIN_HTTP=1 accepts"),
        ({"AIRFLOW_API": "v3"}, "AIRFLOW_API must be"),
        ({"AIRFLOW_ALLOW_PLAIN_HTTP": "maybe"}, "AIRFLOW_ALLOW_PLAIN_HTTP must be"),
        ({"AIRFLOW_CA_BUNDLE": "/no/such.pem"}, "AIRFLOW_CA_BUNDLE is not right"),
        ({"AIRFLOW_USERNAME": None}, "nothing to sign in with"),
        ({"AIRFLOW_PASSWORD": None}, "AIRFLOW_PASSWORD is not set"),
        ({"AIRFLOW_PASSWORD_FILE": "/some/file"}, "AIRFLOW_PASSWORD and AIRFLOW_PASSWORD_FILE are both set"),
        ({"AIRFLOW_PASSWORD": None, "AIRFLOW_PASSWORD_FILE": "/no/such"}, "AIRFLOW_PASSWORD_FILE cannot be read"),
        ({"AIRFLOW_PASSWORD": None, "AIRFLOW_PASSWORD_FILE": "/dev/null"}, "AIRFLOW_PASSWORD_FILE names an empty"),
        ({"AIRFLOW_TOKEN": "a"}, "AIRFLOW_USERNAME and AIRFLOW_TOKEN are set"),
        ({"AIRFLOW_USERNAME": None, "AIRFLOW_TOKEN": "s3 cret"}, "AIRFLOW_TOKEN is not right"),
        (
            {"AIRFLOW_USERNAME": None, "AIRFLOW_OAUTH_TOKEN_URL": "https://login.example.com/token"},
            "AIRFLOW_OAUTH_CLIENT_ID is not set",
        ),
        (
            {
                "AIRFLOW_USERNAME": None,
                "AIRFLOW_OAUTH_TOKEN_URL": "http://login.example.com/token",
                "AIRFLOW_OAUTH_CLIENT_ID": "gatehouse",
                "AIRFLOW_OAUTH_CLIENT_SECRET": "s3cret",
            },
            "AIRFLOW_OAUTH_TOKEN_URL is not right",
        ),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    run: Run, environ: dict[str, str], fake: FakeAirflow, changes: dict[str, str | None], says: str
) -> None:
    for name, value in changes.items():
        environ.pop(name, None)
        if value is not None:
            environ[name] = value
    code, out, err = run("check")
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert "s3" not in err
    assert not [request for request in fake.requests if request.account]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["trigger"],
        ["trigger", "sales_report", "--conf", "{"],
        ["trigger", "sales_report", "--conf", "[1]"],
        ["trigger", "sales_report", "--wait", "soon"],
        ["trigger", "sales_report", "--wait=-1"],
        ["runs", "--limit", "-1"],
        ["runs", "--state", "odd"],
        ["check", "--password", SECRET],
        ["check", f"--password={SECRET}"],
    ],
)
def test_wrong_usage(run: Run, capsys: pytest.CaptureFixture[str], fake: FakeAirflow, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert "usage: python -m airflow_bridge" in capsys.readouterr().err
    assert fake.requests == []


def test_secrets_from_files(run: Run, environ: dict[str, str], fake: FakeAirflow, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    del environ["AIRFLOW_PASSWORD"]
    environ["AIRFLOW_PASSWORD_FILE"] = str(path)
    assert run("users")[0] == 0
    path.write_text(fake.state.make_token(fake.state.users["boss"]) + "\r\n")
    environ.clear()
    environ.update(AIRFLOW_URL=fake.url, AIRFLOW_API="v2", AIRFLOW_TOKEN_FILE=str(path))
    assert run("users")[0] == 0
    assert len(fake.calls("POST /auth/token")) == 1


def test_an_oauth_client(run: Run, environ: dict[str, str], fake: FakeAirflow) -> None:
    token = fake.state.make_token(fake.state.users["boss"])
    with loopback(lambda asked: Reply({"access_token": token})) as issuer:
        environ.clear()
        environ.update(
            AIRFLOW_URL=fake.url,
            AIRFLOW_OAUTH_TOKEN_URL=f"{issuer.url}/token",
            AIRFLOW_OAUTH_CLIENT_ID="gatehouse",
            AIRFLOW_OAUTH_CLIENT_SECRET=SECRET,
            AIRFLOW_OAUTH_SCOPE="airflow",
        )
        code, out, _ = run("check")
    assert code == 0
    assert "as the OAuth client gatehouse" in out
    assert issuer.asked[0].form["scope"] == "airflow"


def test_an_authority_of_our_own(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    told = {"access_token": "t", "version": "3.3.2", "users": [], "total_entries": 0}
    with loopback(lambda asked: Reply(told), tls=ours.context("127.0.0.1")) as server:
        environ["AIRFLOW_URL"] = server.url
        code, _, err = run("users")
        assert code == 1
        assert "certificate" in err
        environ["AIRFLOW_CA_BUNDLE"] = str(ours.bundle)
        environ["AIRFLOW_API"] = "v2"
        told["info"], told["paths"] = {"title": "FAB"}, {"/fab/v1/users": {}}
        assert run("users") == (0, "nobody\n", "")


# --- check -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", ["3.3.2", "2.11.2", "3.3.2-simple"])
def test_check(run: Run, environ: dict[str, str], release: str) -> None:
    with FakeAirflow(release=release) as other:
        other.add_user("boss", password=SECRET, roles=["Admin"])
        other.rate_limit_headers = {"RateLimit": '"default";r=97;t=20', "RateLimit-Policy": '"default";q=100;w=60'}
        environ["AIRFLOW_URL"] = other.url
        code, text, err = run("check")
        assert (code, err) == (0, "")
        code, out, _ = run("check", "--json")
    (found,) = lines(out)
    simple, old = release.endswith("simple"), release.startswith("2")
    assert found["version"] == release.removesuffix("-simple")
    assert found["api"] == ("v1" if old else "v2")
    assert found["auth_manager"] == ("simple" if simple else "FAB")
    assert found["health"]["scheduler"]["status"] == "healthy"
    assert ("users" in found["missing"]) is simple
    assert ("backfills" in found["missing"]) is old
    assert found["signed_in"] is True
    assert ["can_edit", "DAGs"] in found["may"]
    assert (["can_edit", "Users"] in found["may"]) is not simple, "there is no API for users"
    assert found["may_not"] == []
    assert found["rate_limit"]["remaining"] == 97
    assert "scheduler healthy" in text
    assert "signed in  as the account boss" + ("" if simple else ", with Admin") in text
    assert "\nmay        can_" in text
    assert "may not" not in text
    assert ("backfills: Airflow 2 has no backfills" in text) is old
    assert "97 of 100 calls left for 20 s" in text


@pytest.mark.parametrize("release", ["3.3.2", "3.1.6", "2.11.2"])
def test_check_names_what_an_account_lacks(run: Run, environ: dict[str, str], release: str) -> None:
    with FakeAirflow(release=release) as other:
        other.state.roles["Viewer"].permissions |= {("can_read", "Users"), ("can_read", "Roles")}
        other.add_user("boss", password=SECRET, roles=["Viewer"])
        environ["AIRFLOW_URL"] = other.url
        code, text, _ = run("check")
        (found,) = lines(run("check", "--json")[1])
    assert code == 0
    may, _, may_not = text.partition("may not    ")
    assert "can_read on DAG Runs\n" in may
    assert "can_create on DAG Runs\n" in may_not
    assert "can_edit on Users\n" in may_not
    assert ["can_edit", "Users"] in found["may_not"]
    assert (["can_edit", "Roles"] in found["may_not"]) == (release != "3.1.6"), "there nobody can edit them"
    assert ["can_read", "DAGs"] in found["may"]


def test_check_with_a_wrong_password(run: Run, environ: dict[str, str]) -> None:
    """What is public is told all the same."""
    environ["AIRFLOW_PASSWORD"] = "wrong"
    code, out, err = run("check")
    assert code == 1
    assert "3.3.2" in out
    assert "Check the credentials of the account boss" in err
    code, out, err = run("check", "--json")
    assert code == 1
    assert lines(out)[0]["signed_in"] is False
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "users", "roles", "trigger", "runs"])
@pytest.mark.parametrize("api", ["", "v2"])
def test_an_airflow_that_is_down(run: Run, environ: dict[str, str], fake: FakeAirflow, command: str, api: str) -> None:
    fake.stop()
    environ["AIRFLOW_API"] = api
    code, out, err = run(command, *(["sales_report"] if command == "trigger" else []))
    assert (code, out) == (1, "")
    assert "Check that it runs" in err
    assert err.count("\n") == 1


# --- lists -----------------------------------------------------------------------------------------------------------
def test_users(run: Run, fake: FakeAirflow) -> None:
    fake.state.users["alice"].last_name = "A\x1b[31m\nB"
    assert run("users")[1].splitlines() == [
        "USERNAME  E-MAIL             NAME            ROLES",
        "admin     admin@example.com  First Last      Admin",
        "alice     alice@example.com  First A·[31m·B  Viewer",
        "boss      boss@example.com   First Last      Admin",
    ]
    found = {user["username"]: user for user in lines(run("users", "--json")[1])}
    assert found["alice"]["roles"] == ["Viewer"]
    assert found["alice"]["last_name"] == "A\x1b[31m\nB"


class Watched(io.TextIOWrapper):
    """Standard output that notes how many pages had been asked for when it was first written to."""

    def __init__(self, fake: FakeAirflow) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.fake = fake
        self.pages_at_first = -1
        self.lines = 0

    def write(self, text: str) -> int:
        if not self.lines:
            self.pages_at_first = len(self.fake.calls("GET .*/users"))
        self.lines += text.count("\n")
        return len(text)


@pytest.mark.parametrize("arguments", [["users"], ["users", "--json"]])
def test_rows_are_written_as_they_come(
    environ: dict[str, str], fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    fake.add_users(1000)
    out = Watched(fake)
    monkeypatch.setattr(sys, "stdout", out)
    assert main(arguments, environ) == 0
    assert out.lines == 1003 + (arguments == ["users"])
    assert 1 <= out.pages_at_first <= 3
    assert len(fake.calls("GET .*/users")) > 10


def test_roles(run: Run) -> None:
    text = run("roles")[1].splitlines()
    assert text[0].split() == ["ROLE", "PERMISSIONS"]
    assert {line.split()[0] for line in text[1:]} >= {"Admin", "Viewer"}
    found = {role["name"]: role["permissions"] for role in lines(run("roles", "--json")[1])}
    assert ["can_read", "DAGs"] in found["Viewer"]


def test_what_the_account_may_not_do(run: Run, environ: dict[str, str], fake: FakeAirflow) -> None:
    fake.state.users["boss"].roles = ["Viewer"]
    code, out, err = run("users")
    assert (code, out) == (1, "")
    assert "needs can_read on Users" in err
    assert err.count("\n") == 1


# --- runs ------------------------------------------------------------------------------------------------------------
def test_trigger(run: Run, fake: FakeAirflow) -> None:
    given = ["trigger", "sales_report", "--conf", '{"region": "EU"}', "--run-id", "ours", "--note", "because"]
    assert run(*given) == (0, "sales_report ours: queued\n", "")
    assert run(*given)[0] == 0
    (row,) = fake.state.runs
    assert (row.dag_run_id, row.conf["region"], row.note) == ("ours", "EU", "because")


def test_an_id_is_made_up_each_time(run: Run, fake: FakeAirflow) -> None:
    (first,) = lines(run("trigger", "sales_report", "--json")[1])
    (second,) = lines(run("trigger", "sales_report", "--json")[1])
    assert [first["dag_run_id"], second["dag_run_id"]] == [row.dag_run_id for row in fake.state.runs]


@pytest.mark.parametrize(("state", "code"), [("success", 0), ("failed", 3)])
def test_wait(run: Run, fake: FakeAirflow, waits: Waits, state: str, code: int) -> None:
    waits.meanwhile = lambda: fake.set_run_states(state)
    given = ["trigger", "sales_report", "--run-id"]
    text = "sales_report a: queued\nsales_report a: " + state + "\n"
    assert run(*given, "a", "--wait") == (code, text, "")
    ended, out, err = run(*given, "b", "--wait", "60", "--json")
    assert (ended, err) == (code, "")
    assert [row["state"] for row in lines(out)] == [state]


@pytest.mark.parametrize("paused", [True, False])
def test_a_run_that_has_not_ended_in_time(run: Run, fake: FakeAirflow, paused: bool) -> None:
    fake.state.dags["sales_report"].paused = paused
    code, out, err = run("trigger", "sales_report", "--run-id", "a", "--wait", "0", "--json")
    assert code == 4
    assert [row["state"] for row in lines(out)] == ["queued"]
    assert "still queued" in err
    assert ("is paused" in err) is paused


def test_a_dag_that_is_not_there(run: Run) -> None:
    for given in (["trigger", "nothing"], ["runs", "nothing"]):
        code, _, err = run(*given)
        assert code == 1
        assert "nothing" in err
        assert err.count("\n") == 1


def test_runs(run: Run, fake: FakeAirflow) -> None:
    for name in ("a", "b", "c"):
        assert run("trigger", "sales_report", "--run-id", name)[0] == 0
    assert run("trigger", "payroll_close", "--run-id", "d")[0] == 0
    fake.set_run_states("failed", dag_run_id="b")

    def names(*arguments: str) -> list[object]:
        return [row["dag_run_id"] for row in lines(run("runs", "--json", *arguments)[1])]

    assert names() == names("--limit", "0") == ["d", "c", "b", "a"]
    assert names("--limit", "2") == ["d", "c"]
    assert names("sales_report") == ["c", "b", "a"]
    assert names("--state", "failed") == ["b"]
    text = run("runs", "sales_report")[1].splitlines()
    assert text[0].split() == ["DAG", "RUN", "STATE", "QUEUED", "STARTED", "ENDED"]
    assert text[2].split()[:3] == ["sales_report", "b", "failed"]
    assert run("runs", "payroll_close", "--state", "success") == (0, "none\n", "")


# --- as a program ----------------------------------------------------------------------------------------------------
def start(environ: dict[str, str], *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_bridge", *arguments],
        cwd=HOME,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environ},
        text=True,
        # whoever started us in the background has us, and all we start, take no notice of Ctrl-C
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def test_whoever_reads_has_enough(environ: dict[str, str], fake: FakeAirflow) -> None:
    fake.add_users(3000)
    with start(environ, "users", "--json") as program:
        assert json.loads(program.stdout.readline())["username"] == "admin"
        program.stdout.close()
        assert program.stderr.read() == ""
    assert program.returncode == 0


def test_ctrl_c(environ: dict[str, str]) -> None:
    with start(environ, "trigger", "sales_report", "--wait") as program:
        assert program.stdout.readline().endswith("queued\n")
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() + program.stderr.read() == ""
    assert program.returncode == 130


def test_a_full_disk(environ: dict[str, str]) -> None:
    if not Path("/dev/full").exists():
        missing("/dev/full, which Linux has,")
    with Path("/dev/full").open("w") as full, start(environ, "users", stdout=full) as program:
        said = program.stderr.read()
    assert program.returncode == 1
    assert said == "The output cannot be written: No space left on device.\n"
