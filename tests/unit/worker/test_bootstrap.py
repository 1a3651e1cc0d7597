"""The two accounts of Gatehouse, made by an administrator's client on each release that keeps its accounts itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from airflow_bridge import Airflow, Forbidden, PasswordAuth, connect
from portal.airflow import needs
from portal.airflow.service_accounts import Account, listed, permissions
from portal.setup.bootstrap import Report, ensure
from tests.fake_airflow import FakeAirflow

PASSWORDS = {"gatehouse-access": "what the granter says", "gatehouse-runs": "what the runner says"}
WRITES = "(POST|PATCH|DELETE) /(api|auth/fab)/v1/(users|roles)(/(?!gatehouse.no-such).*)?"
MAKING = {
    "created the role Gatehouse granter",
    "created the account gatehouse-access with the role Gatehouse granter",
    "created the role Gatehouse runner",
    "created the account gatehouse-runs with the role Gatehouse runner",
}
IS_ADMIN = (
    "granter.username = “gatehouse-access” holds the role Admin on demo and was not changed: in gatehouse.toml, name "
    "an account for Gatehouse alone; if it is missing, it is created"
)
Ensure = Callable[..., Report]


@pytest.fixture(params=["2.11.2", "3.0.6", "3.1.6", "3.3.2"])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fake(release: str) -> Iterator[FakeAirflow]:
    with FakeAirflow(release=release) as fake:
        yield fake


@pytest.fixture
def sign_in(fake: FakeAirflow) -> Iterator[Callable[[str, str], Airflow]]:
    with ExitStack() as stack:

        def sign_in(username: str, password: str) -> Airflow:
            auth = PasswordAuth(username, password)
            client = connect(name="demo", url=fake.url, api=fake.release.api, auth=auth, timeout=30)
            stack.callback(client.close)
            return client

        yield sign_in


def accounts(api: str, *, dag_roles: bool = True) -> list[Account]:
    parts = zip(("granter", "runner"), PASSWORDS.items(), strict=True)
    asked = {"creates_users": True, "dag_roles": dag_roles, "runs": True, "variables": True}
    return [Account(part, *account, permissions(part, api=api, **asked)) for part, account in parts]


@pytest.fixture
def bootstrap(fake: FakeAirflow, sign_in: Callable[[str, str], Airflow]) -> Ensure:
    """bootstrap(...) as `ensure` has it; what it says never holds a secret."""

    def bootstrap(*, dag_roles: bool = True, **options: bool) -> Report:
        report = Report()
        wanted = accounts(fake.release.api, dag_roles=dag_roles)
        ensure(sign_in(*fake.admin), wanted, sign_in=sign_in, report=report, **options)
        assert not [secret for secret in PASSWORDS.values() if secret in repr((report, wanted))]
        return report

    return bootstrap


def test_missing_accounts_are_created_and_a_second_run_changes_nothing(
    fake: FakeAirflow, bootstrap: Ensure, sign_in: Callable[[str, str], Airflow]
) -> None:
    first = bootstrap()
    assert (set(first.done), first.notes, first.wrong) == (MAKING, [], [])
    for account in accounts(fake.release.api):
        assert fake.roles_of(account.username) == {account.role}
        own = sign_in(account.username, account.password)
        own.check()
        of_use = needs.effective(account.permissions, own.capabilities())
        assert fake.state.roles[account.role].permissions == set(of_use)
        assert own.lacking(of_use) == frozenset()

    fake.requests.clear()
    assert bootstrap() == Report()
    assert not [call for call in fake.calls(WRITES) if call.account == fake.admin[0]]


def test_each_account_has_only_its_own_permissions(bootstrap: Ensure, sign_in: Callable[[str, str], Airflow]) -> None:
    bootstrap()
    granter, runner = (sign_in(*account) for account in PASSWORDS.items())
    with pytest.raises(Forbidden):
        list(granter.dags())
    with pytest.raises(Forbidden):
        list(runner.users())
    assert any(runner.dags()) and any(granter.users())


def test_an_existing_account_gets_its_missing_role(fake: FakeAirflow, bootstrap: Ensure) -> None:
    fake.add_user("gatehouse-runs", password=PASSWORDS["gatehouse-runs"], roles=["Viewer"])
    report = bootstrap()
    assert "gave the account gatehouse-runs the role Gatehouse runner" in report.done
    assert fake.roles_of("gatehouse-runs") == {"Viewer", "Gatehouse runner"}
    assert report.notes == [
        "the account gatehouse-runs has other roles too, whose permissions it does not need: Viewer",
    ]
    assert report.wrong == []


def test_a_role_that_lacks_something_is_completed_where_roles_can_be_changed(
    fake: FakeAirflow, bootstrap: Ensure
) -> None:
    bootstrap()
    fake.state.roles["Gatehouse granter"].permissions -= {("can_edit", "Users"), ("can_read", "Roles")}
    report = bootstrap()
    if fake.release.role_edits:
        assert report == Report(done=["gave the role Gatehouse granter can_read on Roles, can_edit on Users"])
        assert bootstrap() == Report()
        return
    assert report.done == []
    [note] = report.notes
    assert "cannot be changed" in note
    assert "airflow roles add-perms 'Gatehouse granter' --resource Roles --action can_read; " in note
    assert report.wrong == [
        "the granter lacks can_edit on Users (to give and take roles)",
        "the granter lacks can_read on Roles (to know which roles there are)",
    ]


def test_a_role_that_permits_more_is_reported(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    permitted = fake.state.roles["Gatehouse granter"].permissions
    report = bootstrap(dag_roles=False)
    [note] = report.notes
    more = "can_create on Roles, can_edit on Roles" if fake.release.role_edits else "can_create on Roles"
    assert note.startswith(f"the role Gatehouse granter permits more than Gatehouse needs: {more}. --shrink")
    assert (report.done, report.wrong) == ([], [])
    assert fake.state.roles["Gatehouse granter"].permissions == permitted


def test_shrink_removes_permissions_if_the_api_can(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    report = bootstrap(dag_roles=False, shrink=True)
    assert report.wrong == []
    if fake.release.users == "token":
        assert report == Report(done=["removed can_create on Roles, can_edit on Roles from the role Gatehouse granter"])
        assert not fake.state.roles["Gatehouse granter"].permissions & needs.DAG_ROLES.keys()
        return
    [note] = report.notes
    actions = "can_create can_edit" if fake.release.role_edits else "can_create"
    assert note.endswith(f"airflow roles del-perms 'Gatehouse granter' --resource Roles --action {actions}")
    assert report.done == []


def test_airflows_default_permissions_are_not_reported(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    fake.state.roles["Gatehouse granter"].permissions.add(("can_read", "Website"))
    assert bootstrap(shrink=True) == Report()
    assert ("can_read", "Website") in fake.state.roles["Gatehouse granter"].permissions


def test_an_account_with_another_password(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    fake.state.users["gatehouse-runs"].password = "another"
    report = bootstrap()
    assert report == Report(
        wrong=["Airflow does not accept the password that Gatehouse has for gatehouse-runs: --set-passwords sets it"]
    )
    assert fake.state.users["gatehouse-runs"].password == "another"
    assert bootstrap(set_passwords=True) == Report(done=["set the password of gatehouse-runs"])
    assert fake.state.users["gatehouse-runs"].password == PASSWORDS["gatehouse-runs"]
    assert fake.state.users["gatehouse-access"].password == PASSWORDS["gatehouse-access"]
    assert bootstrap(set_passwords=True) == Report()


@pytest.mark.parametrize("stored", ["gatehouse-access", "Gatehouse-Access"])
def test_an_account_with_the_role_admin_is_not_changed(
    fake: FakeAirflow, sign_in: Callable[[str, str], Airflow], stored: str
) -> None:
    """Nobody as much as tries a password on it; the other account is made."""
    fake.add_user(stored, password="their own", roles=["Admin"])
    tried, report = [], Report()

    def try_to_sign_in(username: str, password: str) -> Airflow:
        tried.append(username)
        return sign_in(username, password)

    wanted = accounts(fake.release.api)
    ensure(sign_in(*fake.admin), wanted, sign_in=try_to_sign_in, report=report, set_passwords=True)
    assert report.wrong == [IS_ADMIN]
    assert set(report.done) == {line for line in MAKING if "runner" in line}
    assert (fake.roles_of(stored), fake.state.users[stored].password) == ({"Admin"}, "their own")
    assert "Gatehouse granter" not in fake.state.roles
    assert tried == ["gatehouse-runs"]


def test_our_account_with_the_role_admin_is_not_changed(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    user = fake.state.users["gatehouse-access"]
    user.roles, user.password = [*user.roles, "Admin"], "their own"
    assert bootstrap(set_passwords=True) == Report(wrong=[IS_ADMIN])
    assert user.password == "their own"


def test_an_account_without_our_role_and_password_is_not_changed(fake: FakeAirflow, bootstrap: Ensure) -> None:
    """Without the role, the account may be somebody else's. With the role, an administrator has confirmed it."""
    fake.add_user("gatehouse-runs", password="their own", roles=["Op"])
    report = bootstrap(set_passwords=True)
    [wrong] = report.wrong
    assert wrong.startswith(
        "runner.username = “gatehouse-runs” exists, but it has neither the role Gatehouse runner nor"
    )
    assert "name another account in gatehouse.toml; if it is Gatehouse’s, give it that role in Airflow" in wrong
    user = fake.state.users["gatehouse-runs"]
    assert (user.password, user.roles) == ("their own", ["Op"])
    user.roles.append("Gatehouse runner")
    assert bootstrap(set_passwords=True).done == ["set the password of gatehouse-runs"]


def test_a_deactivated_account(fake: FakeAirflow, bootstrap: Ensure) -> None:
    bootstrap()
    fake.state.users["gatehouse-access"].active = False
    assert "the account gatehouse-access is deactivated in Airflow; activate it there" in bootstrap().wrong


@pytest.mark.parametrize("release", ["3.3.2"], indirect=True)
def test_what_an_account_may_not_use_yet(fake: FakeAirflow, sign_in: Callable[[str, str], Airflow]) -> None:
    """As if Airflow still used the permissions that it had read before."""
    fake.add_user("before", password="before", roles=["Viewer"])
    wanted, report = accounts("v2"), Report()
    ensure(sign_in(*fake.admin), wanted, sign_in=lambda *_: sign_in("before", "before"), report=report)
    assert set(report.done) == MAKING
    assert report.wrong == []
    [first, second] = report.notes
    assert first.startswith("gatehouse-access may not use can_create on Roles")
    assert second.startswith("gatehouse-runs may not use can_create on DAG Runs")
    assert second.endswith(" yet: Airflow applies a change within half a minute")


@pytest.mark.parametrize("release", ["3.3.2-simple"], indirect=True)
def test_an_airflow_without_an_api_for_users(fake: FakeAirflow, bootstrap: Ensure) -> None:
    report = bootstrap()
    [wrong] = report.wrong
    assert wrong.startswith("demo does not let Gatehouse create accounts: Airflow's simple auth manager")
    assert (report.done, report.notes) == ([], [])


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_without_offers_few_permissions_are_needed(api: str) -> None:
    nothing = {"creates_users": False, "dag_roles": False, "runs": False, "variables": False}
    assert (
        listed(permissions("granter", api=api, **nothing)) == "can_read on Roles, can_edit on Users, can_read on Users"
    )
    assert listed(permissions("runner", api=api, **nothing)) == "can_read on DAGs"
    with_variables = permissions("runner", api=api, **nothing | {"variables": True})
    assert with_variables.keys() - needs.VARIABLES.keys() == {("can_read", "DAGs")}
