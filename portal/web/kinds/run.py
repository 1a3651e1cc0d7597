"""Requests for a run of a DAG on the pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from accounts.models import User
from portal.catalogue.document import PolicySpec
from portal.core import clock
from portal.core.errors import why_not
from portal.core.secrecy import marks
from portal.dags import preflight
from portal.dags.models import Run, RunRequest
from portal.dags.parameters import params
from portal.dags.permissions import current, in_force
from portal.dags.preflight import Finding
from portal.dags.requests import run_starts
from portal.dags.requests.run_kind import RUN, last_approved, text_of
from portal.operations import queries as operations
from portal.ui import words
from portal.web.kinds.base import Display
from portal.web.kinds.run_again_form import RunAgainForm
from portal.web.requests.answer_forms import CancelForm

S = RunRequest.Start
SOON = timedelta(minutes=5)


@dataclass(frozen=True)
class Value:
    """A parameter. title: that the DAG gives it, or its name. default: in words, if the value differs from the DAG's
    default; empty if not, or if it is not known. kind: fixed by the catalogue, secret, or empty."""

    name: str
    title: str
    text: str
    default: str
    kind: str


@dataclass(frozen=True)
class RunFacts:
    """What an approver must know. differences: to `last`, the last approved run of the DAG; empty: the same.
    preflight: what is known before the run; empty if the request is closed."""

    values: list[Value]
    last: RunRequest | None
    differences: list[str]
    preflight: list[Finding]


class RunDisplay(Display):
    name = "run"
    on_its_way = Q(runrequest__start_status=S.SCHEDULED)
    held = Q(pk__in=[])
    closed = Q(runrequest__start_status__in=[S.STARTED, S.NOT_STARTED, S.CANCELLED])

    def title(self, request: RunRequest) -> str:
        return f"Run {RUN.what(request)}"

    def amount(self, request: RunRequest) -> str:
        return "later" if request.start_at else ""

    def state(self, request: RunRequest) -> tuple[Any, str]:
        if request.status != RunRequest.Status.APPROVED:
            return request, "status"
        return (run, "status") if (run := run_of(request)) else (request, "start_status")

    def standing(self, request: RunRequest, reader: User) -> str:
        if request.start_status == S.SCHEDULED and request.start_at:
            return f"The run starts {words.spoken(request.start_at)}. Gatehouse checks it again then."
        if request.start_status == S.NOT_STARTED:
            return f"The run was not started. {request.start_problem}"
        if request.start_status == S.CANCELLED:
            return "The start was cancelled. Nothing was changed in Airflow."
        run = run_of(request)
        return f"{run.ref}: the run {_doing(run)}." if run else "It is approved."

    def sent(self, request: RunRequest) -> str:
        sent = f"{request.ref} was sent. It needs no decision"
        if request.start_status == S.NOT_STARTED:
            return f"{sent}, but the run was not started. {request.start_problem}"
        if request.start_status == S.SCHEDULED and request.start_at:
            return f"{sent}. The run starts {words.spoken(request.start_at)}."
        return f"{sent}. This page shows its progress."

    def is_stopped(self, request: RunRequest) -> bool:
        return request.start_status == S.NOT_STARTED

    def starts_at(self, request: RunRequest) -> datetime | None:
        return request.start_at

    def page(self, request: RunRequest, reader: User) -> dict[str, Any]:
        run = run_of(request)
        cancel = request.start_status == S.SCHEDULED and not why_not(run_starts.check_can_cancel, reader, request)
        return {
            "grant": None,
            "run": run,
            "dag": in_force(request.dag),
            "values": list(_values(request)),
            "operations": list(operations.of_subject(run.ref)) if run else [],
            "may": {"cancel": cancel},
            "cancel_form": CancelForm(),
            "time_left": None,
        }

    def reload_seconds(self, request: RunRequest) -> int:
        if request.start_status == S.SCHEDULED and request.start_at:
            return 3 if request.start_at - clock.now() < SOON else 30
        run = run_of(request)
        return 3 if run and not run.is_final else 0

    def shows(self, request: RunRequest) -> list[str]:
        run = run_of(request)
        return [request.start_status, run.status if run else ""]

    def again_form(self, request: RunRequest, policy: PolicySpec, data: QueryDict | None = None) -> RunAgainForm:
        return RunAgainForm(data, asked=request, policy=policy)

    def facts(self, request: RunRequest, reader: User) -> RunFacts:
        last = last_approved(request)
        now = RUN.own_terms(request)
        return RunFacts(
            values=list(_values(request)),
            last=last,
            differences=RUN.changed_conf(RUN.own_terms(last), now) if last else [],
            preflight=_preflight(request) if request.closed_at is None else [],
        )

    def conflict(self, request: RunRequest) -> str:
        return why_not(RUN.check_again, request, by=request.requester)

    def outcome(self, request: RunRequest, asked: timedelta | None) -> str:
        approved = f"You approved {request.ref}."
        if request.start_status == S.SCHEDULED and request.start_at:
            return f"{approved} The run starts {words.spoken(request.start_at)}."
        if request.start_status == S.NOT_STARTED:
            return f"{approved} The run was not started: {request.start_problem}"
        return f"{approved} Gatehouse is starting the run. The request's page shows the progress."


def run_of(request: RunRequest) -> Run | None:
    return next(iter(request.runs.all()), None)


def _doing(run: Run) -> str:
    return run.get_status_display() if run.is_final else f"is {run.get_status_display()}"


def _values(request: RunRequest) -> Iterator[Value]:
    """The parameters in the order in which the DAG declares them, then the others."""
    known = params.known(request.dag, getattr(request.dag, "state", None)).params
    conf = request.conf
    for name in [*(name for name in known if name in conf), *(name for name in conf if name not in known)]:
        value, declared = conf[name], known.get(name)
        default = ""
        if declared is not None and not declared["hidden"] and declared["value"] != value:
            default = text_of(declared["value"])
        secret = any(True for _ in marks(value))
        kind = "fixed" if name in request.dag.locked else "secret" if secret else ""
        text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
        yield Value(name, params.title(name, declared), text, "" if secret else default, kind)


def _preflight(request: RunRequest) -> list[Finding]:
    """What is known before the run. The limits of the catalogue count at its start, so a later run is not judged."""
    dag = current(request.dag)
    by = request.requester if request.start_at is None else None
    return preflight.findings(dag, getattr(dag, "state", None), request.conf, by=by)
