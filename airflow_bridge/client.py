"""What every client can do, whatever the Airflow behind it; `connect` makes the right one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal, Protocol

from airflow_bridge.auth import BasicAuth, Credentials, PasswordAuth
from airflow_bridge.errors import NotFound, Rejected, Unexpected, Unsupported
from airflow_bridge.http import Http
from airflow_bridge.types import (
    Backfill,
    Capabilities,
    Component,
    Dag,
    Event,
    HumanTask,
    ImportError_,
    LogPart,
    Permission,
    RateLimit,
    Role,
    Run,
    TaskInstance,
    User,
    Variable,
)
from airflow_bridge.v1 import AirflowV1
from airflow_bridge.v2 import AirflowV2

BUDGET = 10.0
AT_ONCE = 8


class Airflow(Protocol):
    """One deployment, one account. Thread-safe. Every call raises BridgeError's children and nothing else.

    Lists are read page by page while you go through them. What this Airflow cannot do raises Unsupported, in words.
    """

    @property
    def name(self) -> str: ...
    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last answer with RateLimit headers said; None where there never was one."""

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which its clock is ahead of ours (negative: behind), by the Date of its last answer; None where
        no answer had one."""

    def close(self) -> None: ...
    def hiding(self, secrets: Iterable[str]) -> AbstractContextManager[None]:
        """Hide these in the errors that this thread meets meanwhile. The credentials are hidden in all errors."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """A block in which all calls of this thread together take at most `seconds`; then TimedOut and its like."""

    # the Airflow itself
    def version(self) -> str: ...
    def capabilities(self, *, fresh: bool = False) -> Capabilities:
        """What it can do, found by asking, without credentials. fresh: do not go by what was found minutes ago."""

    def health(self) -> Mapping[str, Component]:
        """Its parts ("metadatabase", "scheduler", ...), without credentials."""

    def check(self) -> None:
        """Sign in and make one authenticated call; raises Unauthorised, Forbidden, Unreachable, TimedOut."""

    def lacking(self, permissions: Iterable[Permission], *, username: str = "") -> frozenset[Permission]:
        """Those of `permissions` that an account (by default our own) does not have.

        Read from its roles where we may read those; else, for our own account, found by asking for things that do not
        exist: what no call needs, or can use on this Airflow, is not among them then. Raises Forbidden or Unsupported
        for another account that we may not read, NotFound where there is none.
        """

    def events(
        self, *, after: datetime | None = None, dag_id: str = "", dag_run_id: str = "", by: str = ""
    ) -> Iterator[Event]:
        """Airflow's own log, newest first: attempts on DAGs and runs. Users and roles are not in it."""

    # people
    def users(self) -> Iterator[User]: ...
    def user(self, username: str) -> User | None: ...
    def find_user(self, *, username: str, email: str, id: str = "") -> User | None:
        """By stored name first, then by e-mail (any case) through the whole list; never by a constructed name.

        id: of the user as it was seen before (`User.id`). Whoever has it is the one, also under another name and e-mail
        address; where nobody has it any more, the name and the e-mail decide.
        """

    def create_user(
        self, *, username: str, email: str, first_name: str, last_name: str, password: str, roles: Iterable[str]
    ) -> User:
        """Raises Conflict where name or e-mail is taken, Rejected for an unknown role or no role at all."""

    def update_user(
        self,
        username: str,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        password: str | None = None,
    ) -> User:
        """Change what is given and leave the rest. Raises NotApplied where what is read back is something else."""

    def set_roles(self, username: str, roles: Iterable[str]) -> User:
        """Replace the role list and read back. Raises NotApplied where Airflow shows another set than it was given.

        Airflow has no way to say "if nobody changed it meanwhile": only one writer per person may do this at a time.
        """

    def take_all_roles(self, username: str) -> User:
        """Nobody can be deactivated by API; without roles they can do nothing."""

    def delete_user(self, username: str) -> None:
        """What they are signed in with works for up to 30 s more: take their roles away first."""

    # roles
    def roles(self) -> Iterator[Role]: ...
    def role(self, name: str) -> Role | None: ...
    def create_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        """Raises Conflict where it exists, Rejected where an action or resource is unknown."""

    def update_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        """Make it permit exactly this. Raises Unsupported where this Airflow cannot take permissions away."""

    def rename_role(self, name: str, new_name: str) -> Role:
        """Raises Conflict where the new name is taken. Never rename a role that a DAG file names."""

    def delete_role(self, name: str) -> None:
        """It is taken from everybody who has it. Never delete a role that a DAG file names."""

    def permissions(self) -> frozenset[Permission]:
        """Every pair of action and resource there is.

        Airflow 2 and FAB providers before 3.3 list no pairs: there it is what its roles permit, which leaves out pairs
        for a single DAG that no role has.
        """

    def ensure_dag_role(self, name: str, dag_id: str, permissions: Iterable[Permission]) -> Role:
        """The role for access to one DAG (see `dag_permissions`): made complete once, and found complete ever after.

        Airflow makes a role permission by permission, each in a transaction of its own. One that is being made at this
        moment is read again until it is complete; one whose making was broken off is completed.
        Raises NotParsed where Airflow has not read the DAG's file yet, Overruled where the role lacks what it permits
        on that DAG, as it does when the file sets access_control, Conflict where it permits more than that, Rejected
        where it is incomplete and cannot be completed.
        """

    # DAGs
    def dags(self, *, include_stale: bool = False) -> Iterator[Dag]: ...
    def dag(self, dag_id: str) -> Dag | None:
        """With its parameters. A DAG that is there may still be one that cannot be started: see `Dag.problem`."""

    def import_errors(self) -> Iterator[ImportError_]: ...
    def set_paused(self, dag_id: str, paused: bool) -> Dag:
        """Raises NotApplied where the switch has not moved."""

    # runs
    def trigger(
        self,
        dag_id: str,
        *,
        dag_run_id: str,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | Literal["now"] | None = "now",
        note: str = "",
    ) -> Run:
        """Start a run under an id of ours, or find the one already there (same id): one run, however often called.

        A retry gives the same id and the same logical date. None, on Airflow 3, is a run without one, whose templates
        have no `ds`. Of a paused DAG it stays queued. Raises Conflict where the date is another run's.
        """

    def run(self, dag_id: str, dag_run_id: str) -> Run | None: ...
    def runs(self, dag_id: str | None = None, *, state: str = "") -> Iterator[Run]:
        """Newest first; of one DAG or of all."""

    def recent_runs(self, dag_id: str, limit: int = 20) -> list[Run]:
        """Newest first."""

    def cancel(self, dag_id: str, dag_run_id: str) -> Run:
        """Mark it failed, after looking. Raises Conflict for one that has ended, which is left as it ended."""

    def clear(self, dag_id: str, dag_run_id: str, *, only_failed: bool = True) -> Run:
        """Have the failed tasks (or all) of a run that has ended run again."""

    def set_note(self, dag_id: str, dag_run_id: str, note: str) -> Run: ...
    def wait(self, dag_id: str, dag_run_id: str, *, timeout: float, poll: float = 1.0, slowest: float = 15.0) -> Run:
        """Return it when it has ended, asking every `poll` to `slowest` seconds.

        Raises NotFinished after `timeout` seconds, which says so when the DAG is paused. The last look may begin then:
        in all it is over after `timeout` and the time of one call.
        """

    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]: ...
    def log(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        *,
        try_number: int = 1,
        map_index: int = -1,
        after: str | None = None,
    ) -> LogPart:
        """Lines of one attempt's log; `after` is the `next` of the part before. Raises NotFound before it began."""

    # variables
    def variable(self, key: str) -> Variable | None: ...
    def set_variable(self, key: str, value: str, *, description: str | None = None) -> Variable:
        """Create or change it, and read back."""

    # Airflow 3
    def backfills(self, dag_id: str) -> Iterator[Backfill]: ...
    def backfill(self, backfill_id: int) -> Backfill: ...
    def preview_backfill(self, dag_id: str, *, from_date: datetime, to_date: datetime) -> list[datetime]:
        """The logical dates it would run."""

    def start_backfill(
        self,
        dag_id: str,
        *,
        from_date: datetime,
        to_date: datetime,
        reprocess: Literal["none", "failed", "completed"] = "none",
        conf: Mapping[str, Any] | None = None,
    ) -> Backfill:
        """Raises Conflict while another one of the DAG is on its way, Rejected for a DAG without a schedule."""

    def pause_backfill(self, backfill_id: int, paused: bool = True) -> Backfill: ...
    def cancel_backfill(self, backfill_id: int) -> Backfill: ...
    def human_tasks(self) -> Iterator[HumanTask]:
        """Tasks that wait for a person (Airflow 3.1 or newer)."""

    def human_task(self, dag_id: str, dag_run_id: str, task_id: str, *, map_index: int = -1) -> HumanTask: ...
    def answer_human_task(
        self, dag_id: str, dag_run_id: str, task_id: str, chosen: Iterable[str], *, map_index: int = -1
    ) -> HumanTask:
        """Airflow writes down our account as the one who answered.

        Raises Forbidden for one that is assigned to somebody, Conflict for one that is answered.
        """


def connect(
    *,
    name: str,
    url: str,
    api: Literal["v1", "v2"] | str,
    auth: Credentials,
    timeout: float = BUDGET,
    allow_plain_http: bool = False,
    ca_bundle: str = "",
    max_concurrent: int = AT_ONCE,
) -> Airflow:
    """A client for one deployment and one account; asks nothing of it yet.

    name: how errors call the deployment. api: "v1" (Airflow 2) or "v2" (Airflow 3); `find_api` finds it.
    timeout: seconds that one call may take in all. allow_plain_http: accept http to another machine, where the network
    between is trusted. ca_bundle: path of the certificate authorities to trust instead of the system's; certificates
    are always checked. max_concurrent: calls at once to this address by all of this process.
    Raises Unsupported for an API that is none, Rejected for an address or credentials that cannot be used.
    """
    if api == "v1" and isinstance(auth, PasswordAuth):
        auth = auth.basic
    if api == "v2" and isinstance(auth, BasicAuth):
        raise Rejected(f"{name}: Airflow 3 takes no password with a call; use PasswordAuth.", field="auth")
    if api not in ("v1", "v2"):
        raise Unsupported(f"{name}: there is no api {api}; it is v1 for Airflow 2 or v2 for Airflow 3.")
    http = Http(
        name=name,
        url=url,
        auth=auth,
        budget=timeout,
        allow_plain_http=allow_plain_http,
        ca_bundle=ca_bundle,
        max_concurrent=max_concurrent,
    )
    return AirflowV1(http) if api == "v1" else AirflowV2(http)


def find_api(
    *,
    name: str,
    url: str,
    auth: Credentials | None = None,
    timeout: float = BUDGET,
    allow_plain_http: bool = False,
    ca_bundle: str = "",
) -> Literal["v1", "v2"]:
    """Which API an address speaks, found by asking for its version: without credentials, then with those given.

    Raises Unsupported where it speaks neither, Unreachable and its like.
    """
    refusals: list[str] = []
    for api in ("v1",) if isinstance(auth, BasicAuth) else ("v2", "v1"):  # Airflow 3 takes no password with a call
        airflow = connect(
            name=name,
            url=url,
            api=api,
            auth=auth or PasswordAuth("", ""),
            timeout=timeout,
            allow_plain_http=allow_plain_http,
            ca_bundle=ca_bundle,
        )
        try:
            airflow.version()
            return "v1" if api == "v1" else "v2"
        except (NotFound, Unsupported, Unexpected) as error:
            refusals.append(str(error))
        finally:
            airflow.close()
    raise Unsupported(f"{name} is no Airflow 2 or 3, or its API is elsewhere: {refusals[0]}")
