"""The request kind of runs, for portal.approvals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from accounts.models import User
from portal.approvals import checks
from portal.approvals.kinds import Kind
from portal.approvals.ledgers import REQUESTS
from portal.approvals.steps import Step
from portal.audit import compare
from portal.audit.compare import Columns, LedgerEvent, OutOfPlace
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock
from portal.core.errors import Conflict, Refused, Wrong
from portal.dags.models import Run, RunRequest
from portal.dags.parameters import frozen, secrets
from portal.dags.permissions import check_can_ask, check_offered, current
from portal.dags.requests import run_starts
from portal.dags.runs import starting

S = RunRequest.Start


def _start(status: S, *, after: tuple[str, ...]) -> Any:
    """For the ledger: an event that sets the status of the start."""

    def makes(recorded: LedgerEvent) -> Columns:
        if (before := recorded.before["start_status"]) not in after:
            raise OutOfPlace(f"the start was {before} by then.")
        by_person = status is S.CANCELLED
        return {
            "start_status": status.value,
            "start_problem": recorded.detail.get("reason" if by_person else "why", ""),
            "start_cancelled_by": recorded.event.actor if by_person else "",
        }

    return makes


BOTH = (S.WAITING.value, S.SCHEDULED.value)


class RunKind(Kind):
    name = "run"
    model = RunRequest
    related = ("requester", "beneficiary", "withdrawn_by", "deployment", "dag__deployment", "dag__state")
    shown_with = ("runs", "start_cancelled_by")
    terms = {
        "dag": lambda row: str(row.dag),
        "conf": lambda row: row.conf_text,
        "conf_sha256": lambda row: row.conf_sha256,
        "note": lambda row: row.note,
        "start_at": lambda row: clock.iso_or_empty(row.start_at),
        "start_status": lambda row: row.start_status,
        "start_problem": lambda row: row.start_problem,
        "start_cancelled_by": lambda row: row.start_cancelled_by.username if row.start_cancelled_by_id else "",
    }
    related_terms = ("dag__deployment", "start_cancelled_by")
    changeable = ("conf", "conf_sha256", "note", "start_at")
    result = "start"
    makes = {
        Verb.REQUEST_RUN_SCHEDULED: _start(S.SCHEDULED, after=BOTH[:1]),
        Verb.REQUEST_RUN_BEGUN: _start(S.STARTED, after=BOTH),
        Verb.REQUEST_RUN_START_FAILED: _start(S.NOT_STARTED, after=BOTH),
        Verb.REQUEST_RUN_CANCELLED: _start(S.CANCELLED, after=BOTH[1:]),
    }

    def label(self, request: RunRequest) -> str:
        return f"a run of {request.dag.dag_id} on {request.deployment.name}"

    def sentence(self, request: RunRequest) -> str:
        """`employee asks to run payroll_close on demo with month 2026-11`."""
        verb = "asks" if request.closed_at is None else "asked"
        return f"{request.requester.username} {verb} to run {self.what(request)}"

    def what(self, request: RunRequest) -> str:
        """The DAG with its parameters: `payroll_close on demo with month 2026-11`."""
        return f"{request.dag.dag_id} on {request.deployment.name}{_with(request.conf)}"

    def event_detail(self, request: RunRequest) -> Mapping[str, Any]:
        return {"dag": str(request.dag)}

    def recorded_columns(self, recorded: LedgerEvent) -> Columns:
        own = {name: recorded.detail[name] for name in ("dag", *self.changeable)}
        empty = {"start_status": S.WAITING.value, "start_problem": "", "start_cancelled_by": ""}
        return {"about": recorded.detail["dag"], **own, **empty}

    def policy(self, request: RunRequest) -> PolicySpec:
        dag = current(request.dag)
        return catalogue.policy(dag.policy) if request.policy else without_decision(request)

    def made_under(self, request: RunRequest) -> PolicySpec:
        return super().made_under(request) if request.policy else without_decision(request)

    def search_texts(self, request: RunRequest) -> list[str]:
        return [str(request.dag), request.note, *map(text_of, [*request.conf, *request.conf.values()])]

    def change(self, request: RunRequest, changed: Mapping[str, Any], *, by: User) -> Mapping[str, Any]:
        """changed: `conf` with `entered_secrets`, `note`, `start_at` (None: as soon as approved)."""
        columns: dict[str, Any] = {}
        if "start_at" in changed:
            columns["start_at"] = request.start_at = (
                changed["start_at"].astimezone(UTC) if changed["start_at"] else None
            )
        dag, wrong = current(request.dag), Wrong()
        with wrong.collecting():
            note = starting.checked_note(changed.get("note", request.note))
        with wrong.collecting():
            values = starting.checked_conf(dag, changed["conf"], by) if "conf" in changed else {}
        wrong.check()
        if "conf" in changed:
            hidden = secrets.hide(dag, values, entered=changed.get("entered_secrets", ()))
            columns |= frozen.freeze(hidden).columns()
            note, request.reason = hidden.without(note), hidden.without(request.reason)
        columns["note"] = note
        for name, value in columns.items():
            setattr(request, name, value)
        check_not_asked(request)
        return columns

    def entry_problems(self, request: RunRequest, policy: PolicySpec) -> dict[str, str]:
        wrong = checks.text_problems(request.reason, request.ticket, policy)
        return wrong | checks.start_problem(request.start_at, field="start_at")

    def changed_words(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        told = self.changed_conf(before, after)
        words = [f"Parameters: {'; '.join(told)}."] if told else []
        if before["start_at"] != after["start_at"]:
            now, was = (each["start_at"] or "as soon as approved" for each in (after, before))
            words.append(f"Start: {now} instead of {was}.")
        if before["note"] != after["note"]:
            words.append(f"Note: {after['note'] or 'none'} instead of {before['note'] or 'none'}.")
        return words

    def changed_conf(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        """The different parameters of two requests in words, from their `own_terms`."""
        if before["conf_sha256"] == after["conf_sha256"]:
            return []
        return differences(json.loads(before["conf"]), json.loads(after["conf"])) or ["another secret value"]

    def check_again(self, request: RunRequest, *, by: User) -> None:
        """The rules in force decide who may run the DAG, and the stored request must be as its events made it."""
        dag = current(request.dag)
        check_offered(dag, "trigger")
        if not request.requester.is_active:
            raise Refused(f"{request.requester.username} can no longer sign in.", reason="inactive")
        check_can_ask(request.requester, dag)
        if not dag.policy:
            raise Refused(f"{dag.dag_id} can no longer be asked for.", reason="not_offered")
        if request.start_at is not None and request.start_at < clock.now() - run_starts.LATEST:
            raise Refused(
                "Its start time is over. Return it, so that the requester can set another.", reason="start_over"
            )
        if found := compare.problem_of(REQUESTS, request.pk):
            raise Refused(f"{found} It cannot be approved.", reason="changed_outside")

    def approved(self, request: RunRequest, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        event["detail"]["start"] = run_starts.begin(request, trail)

    def closed(self, request: RunRequest) -> None:
        """The secrets are not needed any more."""
        RunRequest.objects.filter(pk=request.pk).exclude(sealed="").update(sealed="")

    def at_once_words(self, request: RunRequest) -> tuple[str, str]:
        if request.policy:
            return "Approved at once by its policy", super().at_once_words(request)[1]
        return "Needs no decision", f"{request.requester.username} may run {request.dag.dag_id} without an approval."

    def steps(self, request: RunRequest) -> list[Step]:
        """The start and the run. Reads the prefetched run."""
        if request.closed_at is None:
            expected = "" if request.start_at else "after approval"
            return [Step("The run is started", "future", at=request.start_at, expected=expected)]
        if request.start_status == S.SCHEDULED:
            return [Step("The run is started, after another check", "future", at=request.start_at)]
        if request.start_status == S.NOT_STARTED:
            return [Step("The run was not started", "bad", at=request.start_settled_at, note=request.start_problem)]
        if request.start_status == S.CANCELLED:
            by = request.start_cancelled_by
            return [Step("The start was cancelled", "bad", request.start_settled_at, by, request.start_problem)]
        return [step for run in request.runs.all() for step in _run_steps(run)]

    def outdated(self, request: RunRequest) -> str:
        dag = current(request.dag)
        if not dag.policy:
            return f"{dag.dag_id} can no longer be asked for."
        try:
            check_offered(dag, "trigger")
            check_can_ask(request.requester, dag)
        except Refused as refusal:
            if refusal.reason == "not_offered":
                return refusal.detail
            return f"{request.requester.username} may no longer ask for a run of {dag.dag_id}."
        return ""


def _run_steps(run: Run) -> list[Step]:
    asked = Step(f"{run.ref} requested in Airflow", "done", at=run.created_at)
    if run.status == Run.Status.SUCCESS:
        return [asked, Step("The run succeeded", "done", at=run.ended_at)]
    if run.status == Run.Status.FAILED:
        return [asked, Step("The run failed", "bad", at=run.ended_at, note=run.error)]
    return [asked, Step(f"The run is {run.get_status_display()}", "now")]


def last_approved(request: RunRequest) -> RunRequest | None:
    """The request of the last approved run of the same DAG that was started, other than `request`."""
    rows = RunRequest.objects.filter(about=request.about, start_status=S.STARTED).exclude(pk=request.pk)
    return rows.exclude(policy="").order_by("-start_settled_at", "-pk").first()


def without_decision(request: RunRequest) -> PolicySpec:
    """The policy of a run that needs no decision, because the catalogue names the requester in `who`."""
    return PolicySpec(may_request=request.dag.who or [f"user:{request.requester.username}"], stages=[])


def check_not_asked(request: RunRequest) -> None:
    """Raises Conflict (`already_open`) if the requester has another open request for the same run. The requester is
    locked, so two requests at once are both seen."""
    same = RunRequest.objects.filter(
        requester=request.requester, dag=request.dag, conf_sha256=request.conf_sha256, closed_at=None
    )
    if (other := same.exclude(pk=request.pk).first()) is not None:
        raise Conflict(
            f"{other.ref} already asks for a run of {request.dag.dag_id} with these parameters and {other.waits}.",
            reason="already_open",
        )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The different parameters in words: `month 2026-11 instead of 2026-10`."""
    words = []
    for name in dict.fromkeys([*after, *before]):
        if name not in before:
            words.append(f"{name} {text_of(after[name])} instead of the DAG's default")
        elif name not in after:
            words.append(f"{name} left to the DAG's default instead of {text_of(before[name])}")
        elif frozen.canonical({"": before[name]}) != frozen.canonical({"": after[name]}):
            words.append(f"{name} {text_of(after[name])} instead of {text_of(before[name])}")
    return words


SHOWN = 3  # parameters in a sentence


def _with(conf: Mapping[str, Any]) -> str:
    """` with month 2026-11 and dry_run true`; the first ones, if there are many."""
    if not conf:
        return " without parameters"
    said = [f"{name} {text_of(value, longest=40)}" for name, value in list(conf.items())[:SHOWN]]
    more = f" and {len(conf) - SHOWN} more" if len(conf) > SHOWN else ""
    if not more and len(said) > 1:
        said[-2:] = [f"{said[-2]} and {said[-1]}"]
    return f" with {', '.join(said)}{more}"


def text_of(value: Any, *, longest: int = 200) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


RUN = RunKind()
