import io
import json

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import loader, queries
from tests.factories import ACCOUNTS, fake_airflow
from tests.fake_airflow import FakeRole
from tests.unit.catalogue.texts import GOOD, with_change


@pytest.fixture
def file(tmp_path, settings):
    """A file in order in the place where GATEHOUSE_CONFIG says it is."""
    settings.CONFIG_FILE = tmp_path / "gatehouse.toml"
    settings.CONFIG_FILE.write_text(GOOD)
    return settings.CONFIG_FILE


def run(*args):
    out, err = io.StringIO(), io.StringIO()
    call_command("catalogue", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_apply_leaves_no_difference_to_plan(staff, file):
    said, warned = run("plan")
    assert said.startswith("gatehouse.toml compared with nothing: no version is in force yet\n  + deployment prod")
    assert warned == ""
    assert queries.version_in_force() is None, "a plan changes nothing"

    said, _ = run("apply", "--as", "adam")
    assert said.startswith("gatehouse.toml is in force now as version 1\n  + deployment prod")
    event = AuditEvent.objects.get(verb=Verb.CATALOGUE_APPLIED)
    assert event.actor == "adam"

    assert run("apply")[0] == "gatehouse.toml is in force already as version 1\n  no difference\n"
    assert run("plan")[0] == "gatehouse.toml compared with version 1 in force\n  no difference\n"
    file.write_text(f"{GOOD}# a comment\n")
    assert "no rule changes" in run("plan")[0]


def test_another_file_can_be_named(staff, file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(with_change('"Operator"', '"Other"'))
    assert "title Other" in run("plan", str(other))[0]


def test_warnings_are_printed_on_standard_error(db, file):
    said, warned = run("apply")
    assert "warning: policy one-lead, step 1" in warned
    assert "warning" not in said


def test_json_for_programs(staff, file):
    assert json.loads(run("plan", "--json")[0])["in_force"] is None
    answer = json.loads(run("apply", "--json")[0])
    assert (answer["version"], answer["applied"], len(answer["changes"])) == (1, True, 10)
    assert json.loads(run("apply", "--json")[0])["applied"] is False


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_mistakes_are_exit_code_1_with_all_of_them(staff, file, verb):
    file.write_text(with_change('risk = "high"', 'risk = "hihg"'))
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"gatehouse.toml:26: entitlements\[1\].risk:") as refused:
        call_command("catalogue", verb, "--json", stdout=out)
    assert refused.value.returncode == 1
    [mistake] = json.loads(out.getvalue())["mistakes"]
    assert (mistake["line"], mistake["key"]) == (26, "entitlements[1].risk")


def test_an_unsupported_pattern_is_refused_with_its_line_and_an_alternative(staff, file):
    file.write_text(with_change('pending_for = "3d"', "ticket = '(?=OPS).+'"))
    line = file.read_text().splitlines().index("ticket = '(?=OPS).+'") + 1
    said = rf"gatehouse.toml:{line}: policies.one-lead.ticket: .*look-ahead.* RE2.*; describe the whole ticket"
    with pytest.raises(CommandError, match=said):
        run("plan")


@pytest.mark.parametrize("args", [[], ["init"], ["apply", "--no-such"], ["plan", "a", "b"], ["check"]])
def test_wrong_usage_is_exit_code_2(args):
    with pytest.raises(SystemExit) as usage:
        execute_from_command_line(["manage.py", "catalogue", *args])
    assert usage.value.code == 2


# --- init ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch):
    for account in ACCOUNTS:
        monkeypatch.setenv(account.upper().replace("-", "_"), f"password of {account}")
    with fake_airflow() as fake:
        yield fake


def describe(fake):
    granter = ["--granter", "gatehouse-access", "--granter-password-env", "GATEHOUSE_ACCESS"]
    runner = ["--runner", "gatehouse-runs", "--runner-password-env", "GATEHOUSE_RUNS"]
    return ["init", "--deployment", "prod", "--url", fake.url, *granter, *runner]


def test_init_writes_a_file_that_can_be_put_in_force(db, fake, file):
    file.unlink()
    said, _ = run(*describe(fake), "--output", str(file))
    document = loader.load(file).document
    offered = {spec.role for spec in document.entitlements}
    assert offered == {"Viewer", "User", "Op", "Admin"}, "not Public, and not what Gatehouse's own accounts hold"
    assert {spec.dag for spec in document.dags} == set(fake.state.dags)
    assert all(policy.stages for policy in document.policies.values()), "nothing is granted at once"
    assert document.deployments["prod"].granter.password.env == "GATEHOUSE_ACCESS"
    assert "password of" not in file.read_text()
    assert f"{len(document.dags)} DAGs of prod" in said
    run("apply")
    assert queries.version_in_force().number == 1


def test_init_prints_when_no_file_is_named_and_reads_what_it_printed(db, fake, file):
    printed, _ = run(*describe(fake))
    file.write_text(printed)
    assert loader.load(file)
    again, _ = run("init", "--deployment", "prod")
    assert again == printed, "the file in place knows the deployment by now"


def test_init_leaves_out_what_the_catalogue_cannot_hold(db, fake, file):
    impossible = {"gatehouse_view_sales_0000", "two\nlines", "Gatehouse granter", "gatehouse RUNNER"}
    for name in impossible:
        fake.state.roles[name] = FakeRole(name, set())
    printed, _ = run(*describe(fake))
    document = loader.loads(printed.encode(), name="x").document
    assert not impossible & {spec.role for spec in document.entitlements}
    assert '# left out: the role "two\\nlines"' in printed


def test_init_never_overwrites_a_file(db, fake, file):
    with pytest.raises(CommandError, match="already exists") as refused:
        run(*describe(fake), "--output", str(file))
    assert refused.value.returncode == 1
    assert file.read_text() == GOOD


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--deployment", "nope"], "no deployment “nope”. Give --url"),
        (["--deployment", "prod"], "PROD_ACCESS is not set"),
        (["--deployment", "prod", "--url", "https://x"], "--granter-password-env are needed"),
        (
            ["--deployment", "prod", "--url", "http://x", "--granter", "g", "--granter-password-env", "G"],
            "--url: plain http to x",
        ),
        (
            ["--deployment", "prod", "--url", "https://x", "--granter", "g", "--granter-password-env", "not a name"],
            "--granter-password-env: this takes the name",
        ),
    ],
)
def test_init_says_what_it_lacks(file, monkeypatch, args, said):
    monkeypatch.delenv("PROD_ACCESS", raising=False)
    with pytest.raises(CommandError, match=said) as refused:
        run("init", *args)
    assert refused.value.returncode == 1


def test_init_says_what_airflow_said(fake, file, monkeypatch):
    monkeypatch.setenv("GATEHOUSE_ACCESS", "wrong")
    with pytest.raises(CommandError, match="prod") as refused:
        run(*describe(fake))
    assert refused.value.returncode == 1
    assert "wrong" not in str(refused.value)
