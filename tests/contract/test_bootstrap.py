"""Gatehouse's two accounts as an administrator of a real Airflow has them made, through its API and at its prompt."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from airflow_bridge import Airflow, PasswordAuth, connect
from portal.airflow import needs
from portal.airflow.service_accounts import GIVEN_BY_AIRFLOW, Account, permissions
from portal.setup.bootstrap import Report, ensure
from portal.setup.bootstrap_script import script
from tests.contract.servers import Server
from tests.contract.targets import MAIN
from tests.real_airflow import RealAirflows, on, unique

pytestmark = [pytest.mark.contract]


@dataclass(frozen=True)
class Apart(Account):
    """With a role of its own, so that nobody else's are touched."""

    own: str = ""

    @property
    def role(self) -> str:
        return self.own


def accounts(api: str, *, dag_roles: bool = True, like: Iterable[Account] = ()) -> list[Account]:
    """Two that no other test has, or the same with other needs."""
    known = {account.part: account for account in like}
    asked = {"creates_users": True, "dag_roles": dag_roles, "runs": True, "variables": True}
    found: list[Account] = []
    for part in ("granter", "runner"):
        before = known.get(part)
        names = (before.username, before.role) if before else (unique(part), unique(f"Its {part}"))
        found.append(Apart(part, names[0], f"secret of {part}: ö", permissions(part, api=api, **asked), own=names[1]))
    return found


@dataclass
class Bootstrap:
    admin: Airflow
    sign_in: Callable[[str, str], Airflow]

    def __call__(self, wanted: list[Account], *, shrink: bool = False, set_passwords: bool = False) -> Report:
        report = Report()
        ensure(self.admin, wanted, sign_in=self.sign_in, report=report, shrink=shrink, set_passwords=set_passwords)
        # a real Airflow 3 goes by what it knew of an account for a while
        report.notes = [note for note in report.notes if not note.endswith("applies a change within half a minute")]
        return report


@pytest.fixture
def bootstrap(airflow: Airflow, server: Server) -> Bootstrap:
    def sign_in(username: str, password: str) -> Airflow:
        auth = PasswordAuth(username, password)
        return connect(name="demo", url=server.url, api=server.target.api, auth=auth, timeout=60)

    return Bootstrap(airflow, sign_in)


@pytest.mark.once
@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_they_are_made_and_may_what_they_need(bootstrap: Bootstrap, server: Server) -> None:
    wanted = accounts(server.target.api)
    first = bootstrap(wanted)
    assert (len(first.done), first.notes, first.wrong) == (4, [], [])
    assert bootstrap(wanted) == Report()
    for account in wanted:
        user, role = bootstrap.admin.user(account.username), bootstrap.admin.role(account.role)
        assert user and user.roles == {account.role}
        of_use = needs.effective(account.permissions, bootstrap.admin.capabilities())
        assert role and role.permissions - {GIVEN_BY_AIRFLOW} == set(of_use)
        what = {"granter": "role_edits", "runner": "human_tasks"}[account.part]
        assert (account.permissions == of_use) == (server.target.can(what) or server.target.api == "v1")


@pytest.mark.once
@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_what_is_not_as_it_should_be_is_put_right_or_said(bootstrap: Bootstrap, server: Server) -> None:
    target, wanted = server.target, accounts(server.target.api, dag_roles=False)
    bootstrap(wanted)
    granter, runner = wanted
    more = accounts(target.api, like=wanted)
    bootstrap.admin.update_user(runner.username, password="another")
    bootstrap.admin.set_roles(granter.username, ["Viewer"])

    report = bootstrap(more, set_passwords=True)
    assert f"set the password of {runner.username}" in report.done
    assert f"gave the account {granter.username} the role {granter.role}" in report.done
    assert report.notes[-1] == (
        f"the account {granter.username} has other roles too, whose permissions it does not need: Viewer"
    )
    user = bootstrap.admin.user(granter.username)
    assert user and user.roles == {granter.role, "Viewer"}
    if target.can("role_edits"):
        assert f"gave the role {granter.role} can_create on Roles, can_edit on Roles" in report.done
        assert report.wrong == []
    else:
        assert report.wrong == [
            "the granter lacks can_create on Roles (to make the roles for access to single DAGs)",
        ]
        return

    report = bootstrap(wanted, shrink=True)
    role = bootstrap.admin.role(granter.role)
    assert role
    if target.can("role_shrinking"):
        assert report.done == [f"removed can_create on Roles, can_edit on Roles from the role {granter.role}"]
        assert role.permissions - {GIVEN_BY_AIRFLOW} == set(granter.permissions)
    else:
        assert report.done == []
        assert "Its API cannot remove permissions" in report.notes[0]
        assert role.permissions - {GIVEN_BY_AIRFLOW} == set(more[0].permissions)


# --- at Airflow's prompt ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("release", "part"),
    [pytest.param(*pair, marks=on(pair[0])) for pair in zip(MAIN, ("granter", "runner"), strict=True)],
)
def test_the_printed_script_makes_the_same(real_airflows: RealAirflows, release: str, part: str) -> None:
    """One account on each: to Airflow's commands they differ in nothing but words, and each takes them long."""
    real = real_airflows.get(release)
    wanted = [account for account in accounts(real.api) if account.part == part]
    done = subprocess.run(
        ["sh"],
        input=script("demo", wanted),
        env=real.server._environment() | {f"{account.part.upper()}_PASSWORD": account.password for account in wanted},
        cwd=real.server.home,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    assert not [account for account in wanted if account.password in done.stdout]

    def sign_in(username: str, password: str) -> Airflow:
        auth = PasswordAuth(username, password)
        return connect(name="demo", url=real.url, api=real.api, auth=auth, timeout=60)

    admin, report = sign_in(*real.admin), Report()
    ensure(admin, wanted, sign_in=sign_in, report=report)
    admin.close()
    assert report == Report(), "there is nothing left to do"
