"""manage.py deployment bootstrap | check, as an operator types it."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import subprocess
import termios

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from django.db import DatabaseError

from accounts.operator import account
from portal.airflow import findings, states
from portal.airflow.models import DeploymentState
from portal.airflow.service_accounts import Account
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.setup import bootstrap, inspection
from portal.setup.bootstrap_script import script
from portal.setup.onboarding import planned
from tests import factories
from tests.fake_airflow import FakeAirflow

ADMIN = ("--admin", "admin", "--admin-password-env", "AIRFLOW_ADMIN_PASSWORD")
SECRETS = {
    "AIRFLOW_DEMO_ACCESS": "what the granter says",
    "AIRFLOW_DEMO_RUNS": "what the runner says",
    "AIRFLOW_ADMIN_PASSWORD": "admin-password",
}
NAMES = "gatehouse-access and gatehouse-runs"


def run(*args):
    """What it writes, and what it says beside; never a secret."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("deployment", *args, stdout=out, stderr=err)
    except CommandError as error:
        assert not [value for value in SECRETS.values() if value in str(error)]
        raise
    finally:
        assert not [value for value in SECRETS.values() if value in out.getvalue() + err.getvalue()]
    return out.getvalue(), err.getvalue()


@pytest.fixture
def bare(db, release):
    """An Airflow that knows nothing of Gatehouse."""
    with FakeAirflow(release=release) as bare:
        yield bare


@pytest.fixture
def file(bare, tmp_path, settings, monkeypatch):
    """The demo's file with `bare` as its Airflow; nothing is in force."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    text = factories.CATALOGUE.read_text().replace(factories.WRITTEN_URL, bare.url)
    settings.CONFIG_FILE = tmp_path / "gatehouse.toml"
    settings.CONFIG_FILE.write_text(text.replace('api = "v2"', f'api = "{bare.release.api}"'))
    return settings.CONFIG_FILE


def change(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def only_deployment(file):
    """As before anybody knows what is to be offered."""
    file.write_text(file.read_text().split("variables")[0].split("[policies")[0])


def asking(bare):
    """What is said before a password goes anywhere."""
    return f"asking {bare.url} as admin\n"


def events():
    return list(AuditEvent.objects.filter(verb__startswith="deployment.").order_by("seq"))


# --- bootstrap -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_the_accounts_are_made_once_and_written_down(bare, file, release):
    said, beside = run("bootstrap", "demo", *ADMIN)
    assert said.splitlines() == [
        "created the role Gatehouse granter",
        "created the account gatehouse-access with the role Gatehouse granter",
        "created the role Gatehouse runner",
        "created the account gatehouse-runs with the role Gatehouse runner",
        f"demo: {NAMES} can do what Gatehouse needs",
    ]
    assert beside == asking(bare)
    assert bare.roles_of("gatehouse-access") == {"Gatehouse granter"}

    begun, event = events()
    assert sentence(begun) == f"os:{account()} began to prepare Airflow on demo for Gatehouse"
    assert (event.actor, event.deployment, event.outcome) == (f"os:{account()}", "demo", "success")
    assert sentence(event).startswith(
        f"os:{account()} prepared Airflow on demo for Gatehouse: created the role Gatehouse granter, "
    )
    for written in (begun, event):
        assert '"airflow_admin":"admin"' in written.payload
        assert f'"url":"{bare.url}"' in written.payload

    assert run("bootstrap", "demo", *ADMIN) == (f"demo: {NAMES} can do what Gatehouse needs already\n", asking(bare))
    assert sentence(events()[-1]).endswith(" prepared Airflow on demo for Gatehouse")


def test_errors_are_reported_with_exit_code_1(bare, file):
    bare.add_user("gatehouse-runs", password="another", roles=["Op"])
    with pytest.raises(
        CommandError, match="neither the role Gatehouse runner nor the password that Gatehouse has, and was not changed"
    ) as refused:
        run("bootstrap", "demo", *ADMIN)
    assert refused.value.returncode == 1
    _, event = events()
    assert (event.verb, event.outcome) == (Verb.DEPLOYMENT_BOOTSTRAP_FAILED, "failed")
    assert "repeat this command with --set-passwords; done: created the role Gatehouse granter" in sentence(event)

    bare.state.users["gatehouse-runs"].roles.append("Gatehouse runner")
    said, beside = run("bootstrap", "demo", *ADMIN, "--set-passwords")
    assert said.startswith("set the password of gatehouse-runs\n")
    note = "note: the account gatehouse-runs has other roles too, whose permissions it does not need: Op\n"
    assert beside == asking(bare) + note
    assert events()[-1].verb == Verb.DEPLOYMENT_BOOTSTRAPPED


def test_permissions_are_removed_with_shrink(bare, file):
    run("bootstrap", "demo", *ADMIN)
    bare.state.roles["Gatehouse runner"].permissions.add(("can_delete", "DAGs"))
    said, beside = run("bootstrap", "demo", *ADMIN)
    assert said == f"demo: {NAMES} can do what Gatehouse needs already\n"
    assert "the role Gatehouse runner permits more than Gatehouse needs: can_delete on DAGs" in beside
    said, beside = run("bootstrap", "demo", *ADMIN, "--shrink")
    assert said.splitlines()[0] == "removed can_delete on DAGs from the role Gatehouse runner"
    assert beside == asking(bare)


def test_a_wrong_administrator_is_refused_and_recorded(bare, file, monkeypatch):
    monkeypatch.setenv("AIRFLOW_ADMIN_PASSWORD", "not-it")
    with pytest.raises(CommandError, match="demo") as refused:
        run("bootstrap", "demo", *ADMIN)
    assert refused.value.returncode == 1
    assert "not-it" not in str(refused.value)
    _, event = events()
    assert event.verb == Verb.DEPLOYMENT_BOOTSTRAP_FAILED
    assert "not-it" not in event.payload


def test_an_administrators_account_is_not_taken_over(bare, file):
    bare.add_user("boss", password="their own", roles=["Admin"])
    change(file, '"gatehouse-access"', '"boss"')
    with pytest.raises(CommandError, match="“boss” holds the role Admin on demo and was not changed"):
        run("bootstrap", "demo", *ADMIN, "--set-passwords")
    assert (bare.roles_of("boss"), bare.state.users["boss"].password) == ({"Admin"}, "their own")
    assert "granter.username = “boss”" in sentence(events()[-1])


def test_changes_before_an_airflow_failure_are_recorded_and_shown(bare, file, capsys):
    bare.fail_next("POST .*/users", "503", times=50)
    with pytest.raises(CommandError):
        call_command("deployment", "bootstrap", "demo", *ADMIN)
    assert capsys.readouterr().out == "created the role Gatehouse granter\n"
    _, event = events()
    assert event.verb == Verb.DEPLOYMENT_BOOTSTRAP_FAILED
    assert sentence(event).endswith("; done: created the role Gatehouse granter")


def test_errors_before_an_airflow_failure_are_reported_too(bare, file):
    bare.add_user("gatehouse-access", password="their own", roles=["Admin"])
    bare.fail_next("POST .*/users", "503", times=50)
    with pytest.raises(CommandError, match=r"(?s)holds the role Admin.*503"):
        run("bootstrap", "demo", *ADMIN)
    assert "holds the role Admin" in sentence(events()[-1])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_changes_before_any_other_failure_are_recorded_and_shown(bare, file, capsys, monkeypatch, error):
    def stop(*_):
        raise error("what the granter says")

    monkeypatch.setattr(bootstrap, "_ensure_user", stop)
    with pytest.raises(error):
        call_command("deployment", "bootstrap", "demo", *ADMIN)
    assert capsys.readouterr().out == "created the role Gatehouse granter\n"
    _, event = events()
    assert (event.verb, event.outcome) == (Verb.DEPLOYMENT_BOOTSTRAP_FAILED, "failed")
    stopped = f"stopped before its end ({error.__name__}); done: created the role Gatehouse granter"
    assert sentence(event).endswith(stopped)
    assert "what the granter says" not in event.payload


def test_without_a_trail_nothing_is_done(bare, file, broken_trail):
    with pytest.raises(DatabaseError, match="the trail is broken"):
        run("bootstrap", "demo", *ADMIN)
    assert bare.requests == []


def test_the_password_may_stand_in_a_file(bare, file, tmp_path):
    (tmp_path / "password").write_text("admin-password\n")
    run("bootstrap", "demo", "--admin", "admin", "--admin-password-file", str(tmp_path / "password"))
    assert "gatehouse-runs" in bare.state.users


@pytest.mark.parametrize("release", ["3.3.2-simple"])
def test_an_airflow_without_accounts_says_so(bare, file, release):
    with pytest.raises(CommandError, match="simple auth manager has no API for users and roles"):
        run("bootstrap", "demo", *ADMIN)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[deployments.demo]", "[deployments.other]", "has no deployment “demo”|is refused"),
        ('"gatehouse-runs"', '"gatehouse-access"', "granter and runner are the same account"),
        ('"gatehouse-runs"', '"Gatehouse-Access"', "granter and runner are the same account"),
        ('"gatehouse-access"', '"admin"', "admin is one of the accounts to create"),
        ('"gatehouse-access"', '"ADMIN"', "admin is one of the accounts to create"),
        ('"AIRFLOW_DEMO_RUNS"', '"NOT_SET_ANYWHERE"', "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_the_file_must_name_suitable_accounts(bare, file, old, new, words):
    change(file, old, new)
    with pytest.raises(CommandError, match=words) as refused:
        run("bootstrap", "demo", *ADMIN)
    assert refused.value.returncode == 1
    assert bare.requests == []


def test_an_account_without_a_password_is_not_created(bare, file):
    token = 'runner = { kind = "token", token = { env = "AIRFLOW_DEMO_RUNS" } }'
    file.write_text(re.sub("^runner = .*", token, file.read_text(), flags=re.MULTILINE))
    said, beside = run("bootstrap", "demo", *ADMIN)
    assert said.splitlines()[-1] == "demo: gatehouse-access can do what Gatehouse needs"
    assert 'the runner signs in by kind = "token": create its account in the system' in beside
    assert "can_create on DAG Runs" in beside
    assert "gatehouse-runs" not in bare.state.users


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["demo", "--admin", "admin"],
        ["demo", "--admin-password-env", "X"],
        ["demo", *ADMIN, "--admin-password-file", "x"],
    ],
)
def test_wrong_usage_is_exit_code_2(db, file, args):
    with pytest.raises(SystemExit) as usage:
        execute_from_command_line(["manage.py", "deployment", "bootstrap", *args])
    assert usage.value.code == 2


# --- what they need --------------------------------------------------------------------------------------------------
def needs_of(file):
    return {account.part: set(account.permissions) for account in planned(file, "demo").accounts}


@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_the_file_needs_what_the_catalogue_in_force_needs(file, tmp_path, release):
    """`check` goes by the catalogue in force, `bootstrap` by the file."""
    factories.people()
    call_command("catalogue", "apply", stdout=io.StringIO(), stderr=io.StringIO())
    deployment = Deployment.objects.get(name="demo")
    assert needs_of(file) == {part: set(findings.needed(deployment, part)) for part in ("granter", "runner")}


def test_a_file_without_offers_needs_all_possible_permissions(file):
    only_deployment(file)
    needs = needs_of(file)
    assert ("can_create", "Roles") in needs["granter"]
    assert ("can_create", "DAG Runs") in needs["runner"]
    assert ("can_read", "Variables") not in needs["runner"]


# --- print -----------------------------------------------------------------------------------------------------------
def test_printing_does_nothing(bare, file, monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name)
    printed, beside = run("bootstrap", "demo", "--print")
    assert beside == ""
    assert bare.requests == []
    assert events() == []
    assert "airflow roles create 'Gatehouse granter' 'Gatehouse runner'" in printed


AIRFLOW = """#!/bin/sh
{ for part in "$@"; do printf '[%s]' "$part"; done; echo; } >> said
if [ "$1 $2" = "users create" ]; then
  cat >> said
  if (: < /dev/tty) 2> /dev/null; then echo "a terminal" >> said; fi
fi
"""


def run_script(text, folder, **secrets):
    """The script at a terminal: the exit code, and what `airflow` was told and given to read."""
    (folder / "script").write_text(text)
    if not (folder / "airflow").exists():
        (folder / "airflow").write_text(AIRFLOW)
    (folder / "airflow").chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"} | secrets
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            ["sh", "script"],
            env=env,
            cwd=folder,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, (folder / "said").read_text().splitlines()


def test_what_is_printed_is_a_script(file, tmp_path):
    """It names everything once, whatever it is called, and gives passwords where nobody else can read them."""
    change(file, '"gatehouse-runs"', '''"it's; $HOME"''')
    printed, _ = run("bootstrap", "demo", "--print")
    code, said = run_script(printed, tmp_path, GRANTER_PASSWORD="gran'ter $1", RUNNER_PASSWORD="run\\ner")
    assert code == 0
    assert said == [
        "[roles][create][Gatehouse granter][Gatehouse runner]",
        "[roles][add-perms][Gatehouse granter][--resource][Roles][Users][--action][can_create][can_edit][can_read]",
        "[users][create][--role][Gatehouse granter][--username][gatehouse-access]"
        "[--email][gatehouse-access@gatehouse.invalid][--firstname][Gatehouse][--lastname][Granter]",
        "gran'ter $1",
        "gran'ter $1",
        "[roles][add-perms][Gatehouse runner][--resource][DAG Runs][Variables]"
        "[--action][can_create][can_edit][can_read]",
        "[roles][add-perms][Gatehouse runner][--resource][DAGs][Task Instances][--action][can_edit][can_read]",
        "[roles][add-perms][Gatehouse runner][--resource][HITL Detail][ImportError][Task Logs][XComs]"
        "[--action][can_read]",
        "[users][create][--role][Gatehouse runner][--username][it's; $HOME]"
        "[--email][it's; $HOME@gatehouse.invalid][--firstname][Gatehouse][--lastname][Runner]",
        "run\\ner",
        "run\\ner",
    ]


def test_every_line_but_the_commands_is_a_comment(file):
    """Whoever pastes it runs nothing that is meant to be read."""
    printed, _ = run("bootstrap", "demo", "--print")
    before, rest = printed.split("\n(\n")
    _, after = rest.split("\n)\n")
    assert all(line.startswith("#") for line in [*before.splitlines(), *after.splitlines()])


@pytest.mark.parametrize("bad", ["x\ntouch it", "x\rtouch it", "x\u2028touch it", "x\x00", " x", "--role=Admin"])
def test_a_name_that_could_be_a_command_is_in_no_script(bad):
    """Whatever made the accounts: the file's own check is not all that stands before the script."""
    with pytest.raises(ValueError, match="the granter's user name: "):
        script("demo", [Account("granter", bad, "", {})])
    with pytest.raises(ValueError, match="the deployment's name: "):
        script(bad, [Account("granter", "gatehouse-access", "", {})])


def test_a_password_that_is_not_given_is_asked_for_at_the_terminal(file, tmp_path):
    printed, _ = run("bootstrap", "demo", "--print")
    code, said = run_script(printed, tmp_path, GRANTER_PASSWORD="granter")
    assert code == 0
    assert [line for line in said if not line.startswith("[")] == ["granter", "granter", "a terminal"]


def test_a_failing_script_stops(file, tmp_path):
    printed, _ = run("bootstrap", "demo", "--print")
    (tmp_path / "airflow").write_text("#!/bin/sh\necho once >> said\nexit 3\n")
    assert run_script(printed, tmp_path) == (3, ["once"])


# --- check -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_check_prints_the_state(airflow, release):
    lines = run("check")[0].splitlines()
    assert lines[0] == f"demo: up, Airflow {release} (FAB)"
    assert "  its scheduler is healthy" in lines
    assert ("  not possible there: backfills (Airflow 2 has no backfills in its API)" in lines) is (release == "2.11.2")
    [found] = json.loads(run("check", "demo", "--json")[0])
    assert (found["ok"], found["version"], found["lacking"]) == (True, release, {"granter": [], "runner": []})


def check_fails(*args):
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("deployment", "check", *args, stdout=out)
    assert ended.value.code == 1
    return out.getvalue()


def test_check_looks_at_everything_now(airflow):
    """Not at what was found minutes ago."""
    run("check")
    airflow.state.roles["gatehouse-access"].permissions -= {("can_edit", "Users")}
    said = check_fails()
    assert "  the granter lacks can_edit on Users (to give and take roles)" in said
    assert "`manage.py deployment bootstrap demo`" in said
    [found] = json.loads(check_fails("--json"))
    assert found["lacking"]["granter"] == [["can_edit on Users", "give and take roles"]]


def test_check_of_an_airflow_with_an_unhealthy_component(airflow):
    airflow.state.health["scheduler"] = "unhealthy"
    assert "  its scheduler is unhealthy" in check_fails("demo")


def test_check_of_an_unreachable_airflow(airflow):
    airflow.stop()
    assert check_fails().startswith("demo: unreachable\n  ")
    [found] = json.loads(check_fails("--json"))
    assert (found["ok"], found["status"], found["version"]) == (False, "down", None)
    assert "demo" in found["said"]


def test_check_of_an_airflow_that_refuses_us(airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW_DEMO_ACCESS", "rotated")
    assert check_fails().startswith("demo: needs re-authentication\n  ")


def test_check_of_an_airflow_that_asks_to_wait(airflow):
    """What the last look found is no answer to how it is now."""
    run("check")
    airflow.fail_next("GET .*", "429", times=99, retry_after="60")
    lines = check_fails().splitlines()
    until = DeploymentState.objects.get().waits_until
    assert lines[0] == f"demo: not checked now, Airflow accepts no calls until {until:%Y-%m-%d %H:%M:%S} UTC"
    assert lines[1:3] == ["  the following is from the last check", "demo: up, Airflow 3.3.2 (FAB)"]
    [said] = json.loads(check_fails("--json"))
    assert (said["ok"], said["status"], bool(said["asks_to_wait"])) == (False, "up", True)


def test_check_of_an_airflow_that_asks_to_wait_and_does_not_say_how_long(airflow):
    states.reset([Deployment.objects.get()])
    airflow.fail_next("GET .*", "429", times=99)
    lines = check_fails().splitlines()
    assert lines[0] == "demo: not checked now, Airflow accepts no calls and does not say how long"
    assert lines[2] == "demo: up, not checked yet"


def test_a_deployment_that_was_never_checked_says_so(airflow):
    look = inspection.Look(DeploymentState(deployment=Deployment(name="demo"), status="up"))
    assert look.lines == ["demo: up, not checked yet"]
    assert not look.ok
    assert (look.as_json()["lacking"], look.as_json()["health"]) == ({}, {})


def test_check_without_deployments(db, request):
    with pytest.raises(CommandError, match="No deployment is in force yet") as refused:
        run("check")
    assert refused.value.returncode == 1
    request.getfixturevalue("catalogue")
    with pytest.raises(CommandError, match="no deployment “other” in force"):
        run("check", "other")


def test_bootstrap_and_check_together(file):
    factories.people()
    call_command("catalogue", "apply", stdout=io.StringIO(), stderr=io.StringIO())
    assert "needs re-authentication" in check_fails()
    run("bootstrap", "demo", *ADMIN)
    assert run("check")[0].startswith("demo: up, Airflow 3.3.2 (FAB)\n")
