"""The fake's server: its life, and the knobs that tests turn."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from tests.fake_airflow.access_control import parse
from tests.fake_airflow.apps import app_of
from tests.fake_airflow.doors import account
from tests.fake_airflow.failures import Failure, Mode
from tests.fake_airflow.listener import Half, Listener, reserve
from tests.fake_airflow.releases import RELEASES
from tests.fake_airflow.replies import Reply
from tests.fake_airflow.rows import FakeDag, FakeQuestion, FakeUser, Request
from tests.fake_airflow.state import State


class FakeAirflow:
    """`state` may be read and changed freely between requests; `lock` keeps requests out meanwhile.

    release: a name in RELEASES. requests: all that came in, in order, those that were made to fail included.
    rate_limit_headers: sent with every answer, as by a gateway in front of Airflow.
    """

    def __init__(self, *, release: str = "3.3.2", admin: tuple[str, str] = ("admin", "admin-password")) -> None:
        self.release = RELEASES[release]
        self.admin = admin
        self.state = State(self.release, admin)
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self.rate_limit_headers: dict[str, str] = {}
        self._app = app_of(self.release)
        self._failures: list[Failure] = []
        self._stopping = threading.Event()
        self._listener: Listener | None = None
        self._reserved = reserve(0)
        self.port: int = self._reserved.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # life

    def start(self) -> None:
        """Answer from now on; under the same address after every stop."""
        if self._listener is None:
            self._stopping.clear()
            # Airflow 2 closes every connection after one answer, and does not pack
            new = self.release.api == "v2"
            self._listener = Listener(self.answer, self._reserved, packs=new, keeps=new)
            threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close every connection and refuse new ones, as when the machine's Airflow is down. State is kept."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            self._stopping.set()
            listener.shutdown()
            listener.server_close()
            listener.drop_connections()
            self._reserved = reserve(self.port)

    def close(self) -> None:
        """Stop for good and give the port back."""
        self.stop()
        self._reserved.close()

    def __enter__(self) -> FakeAirflow:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # knobs

    def fail_next(
        self,
        pattern: str,
        mode: Mode,
        *,
        times: int = 1,
        retry_after: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 30,
    ) -> None:
        """Make the next `times` requests fail whose "METHOD /path" matches `pattern` (a regular expression, whole).

        500 502 503 504 429   answer so without doing it, with Retry-After and other headers where given
        401                   the token counts as expired
        html, garbage         200 with a web page, or with JSON that is none
        ignore                200 as if it were done, but nothing is
        drop                  do it, then close the connection without an answer
        half                  do it, then close the connection in the middle of the answer
        close                 close the connection without doing it
        hang                  neither do it nor answer for `seconds`, or until stop()
        broken_off            of a new role: give it the first of its permissions, then close the connection
        in_parts              of a new role: give it the first of its permissions, the others `seconds` later
        """
        told = {**({"Retry-After": retry_after} if retry_after else {}), **(headers or {})}
        with self.lock:
            self._failures.append(Failure(re.compile(pattern), mode, times, told, seconds))

    def calls(self, pattern: str) -> list[Request]:
        """The requests so far whose "METHOD /path" matches `pattern` (whole)."""
        with self.lock:
            return [request for request in self.requests if re.fullmatch(pattern, str(request))]

    def add_user(
        self, username: str, *, password: str = "", roles: Iterable[str] = ("Viewer",), email: str = ""
    ) -> FakeUser:
        with self.lock:
            user = self.state.new_user(username, password, roles, email)
            self.state.users[username] = user
            return user

    def add_users(self, count: int, *, prefix: str = "person", roles: Iterable[str] = ("Viewer",)) -> None:
        """Many at once: person_00000 and so on."""
        held = list(roles)
        with self.lock:
            for number in range(count):
                name = f"{prefix}_{number:05}"
                self.state.users[name] = self.state.new_user(name, "", held)

    def add_dags(self, count: int, *, prefix: str = "dag") -> None:
        """Many at once: dag_00000 and so on."""
        with self.lock:
            for number in range(count):
                dag = FakeDag(f"{prefix}_{number:05}", tags=("many",))
                self.state.dags[dag.dag_id] = dag

    @property
    def log_ins(self) -> int:
        """Tokens given out, and requests that came with a right password of their own."""
        with self.lock:
            return self.state.log_ins

    def roles_of(self, username: str) -> set[str]:
        with self.lock:
            return set(self.state.users[username].roles)

    def set_run_states(self, state: str, *, dag_run_id: str | None = None) -> None:
        """Let time pass: move all unfinished runs, or the one given, to `state`. Runs of paused DAGs stay queued."""
        now = datetime.now(UTC)
        with self.lock:
            for run in self.state.runs:
                given = dag_run_id in (None, run.dag_run_id)
                if not given or run.ended_at or self.state.dags[run.dag_id].paused:
                    continue
                run.state = state
                run.started_at = None if state == "queued" else run.started_at or now
                run.ended_at = now if state in ("success", "failed") else None

            for backfill in self.state.backfills:
                if not backfill.completed_at and all(run.ended_at for run in backfill.runs):
                    backfill.completed_at = now

    def parse_dags(self, *, changed: Iterable[str] = ()) -> None:
        """Let Airflow read the DAG files once more. changed: DAGs whose files are others than before."""
        with self.lock:
            parse(self.state, changed=changed)

    def ask(self, question: FakeQuestion) -> None:
        """Let a task wait for a person's answer."""
        with self.lock:
            run = self.state.run(question.dag_id, question.dag_run_id)
            if run is None:
                raise ValueError(f"there is no run {question.dag_run_id} of {question.dag_id}")
            run.task_states[question.task_id] = "awaiting_input" if self.release.since(3, 3) else "deferred"
            self.state.questions.append(question)

    def invalidate_tokens(self) -> None:
        with self.lock:
            self.state.invalidate_tokens()

    def expire_tokens(self) -> None:
        with self.lock:
            self.state.expire_tokens()

    # one request

    def answer(self, request: Request) -> Reply | Half | None:
        """None: close the connection."""
        with self.lock:
            request = replace(request, account=account(self.state, request))
            self.requests.append(request)
            failure = next((failure for failure in self._failures if failure.applies(request)), None)
            if failure is None:
                return self._told(self._app.answer(self.state, request))
            if failure.mode == "drop":
                self._app.answer(self.state, request)
                return None
            if failure.mode == "half":
                return Half(self._told(self._app.answer(self.state, request)))
            if failure.mode in ("broken_off", "in_parts"):
                self._app.answer(self.state, _with_part(request))
            if failure.mode == "ignore":
                return self._told(self._unchanged(request))
        if failure.mode in ("close", "broken_off"):
            return None
        if failure.mode == "in_parts":
            self._stopping.wait(failure.seconds)
            with self.lock:
                role = self.state.roles[request.body["name"]]
                role.permissions |= {(pair["action"]["name"], pair["resource"]["name"]) for pair in _pairs(request)}
                path = f"{request.path}/{role.name}"
                return self._told(self._app.answer(self.state, replace(request, method="GET", path=path, body=None)))
        if failure.mode == "hang":
            self._stopping.wait(failure.seconds)
            return None
        return self._told(failure.reply(self.release))

    def _told(self, reply: Reply) -> Reply:
        return (
            replace(reply, headers={**self.rate_limit_headers, **reply.headers}) if self.rate_limit_headers else reply
        )

    def _unchanged(self, request: Request) -> Reply:
        """The answer of an Airflow that says 200 and swallows an error on its way to the database."""
        if request.method != "PATCH":
            raise ValueError("only a PATCH can be ignored: its answer is that of a read")
        return self._app.answer(self.state, replace(request, method="GET", query={}, body=None))


def _pairs(request: Request) -> list[Mapping[str, Mapping[str, str]]]:
    return list(request.body["actions"])


def _with_part(request: Request) -> Request:
    """Airflow gives a new role its permissions one by one, in their order, each in a transaction of its own."""
    if request.method != "POST" or not request.path.endswith("/roles"):
        raise ValueError("only a new role is made in parts")
    pairs = _pairs(request)
    return replace(request, body={**request.body, "actions": pairs[: len(pairs) // 2]})
