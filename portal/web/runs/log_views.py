"""The page of a log, one stored part at a time, and the whole log as text.

The worker reads a log from Airflow when somebody opens it, and stores it in parts. A hundred readers cost Airflow one
reading, and a web process never holds more than one part.
"""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core import refs
from portal.core.errors import Missing, Refused
from portal.dags import queries
from portal.dags.models import Run
from portal.dags.runs import logs, wanted
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.runs import failure


@require_safe
@requires(Permission.OPERATE)
def run_log(request: Request, ref: str) -> HttpResponse:
    """One part of a log; `?part=2`, by default the part with the error. Reloads until the worker has stored it."""
    run, found = _attempt(request, ref)
    log = found.log
    parts = log.parts.count() if log is not None and not found.why_no_logs else 0
    if not found.why_no_logs:
        wanted.tell_of_log(run, found.task, found.map_index, found.number)
    number = _part(request, found, parts)
    part = log.parts.filter(number=number).first() if log is not None and parts else None
    text = logs.text_of(part).split("\n") if part is not None else []
    first = part.first_line if part is not None else 1
    error_at = log.error_at if log is not None else None
    lines = [failure.Line(first + n, line, first + n == error_at) for n, line in enumerate(text)]
    is_awaited = not found.why_no_logs and not parts and not (log is not None and log.problem)
    context = {
        "run": run,
        "attempt": found,
        "log": log,
        "lines": lines,
        "part": number,
        "parts": parts,
        "is_awaited": is_awaited,
        "address": found.url,
        "query": found.url.partition("?")[2],
    }
    return render(request, "runs/run_log.html", context, part="log")


@require_safe
@requires(Permission.OPERATE)
def run_log_text(request: Request, ref: str) -> StreamingHttpResponse:
    """The whole log as text, if the worker has stored it."""
    run, found = _attempt(request, ref)
    if found.why_no_logs:
        raise Refused(found.why_no_logs, reason="not_offered")
    if found.log is None or not found.log.parts.exists():
        raise Missing("This log is not stored now. Open its page: the log is read from Airflow then.")
    response = StreamingHttpResponse(logs.stream(found.log), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{run.ref}-try-{found.number}.log"'
    response["Cache-Control"] = "no-store"
    return response


def _attempt(request: Request, ref: str) -> tuple[Run, failure.Attempt]:
    run = queries.run_for(request.user, refs.parse(refs.RUN, ref))
    rows = run.tasks.rows if hasattr(run, "tasks") else []
    task = request.GET.get("task", "")
    index, number = (_number(request, name, default) for name, default in (("map_index", -1), ("try", 1)))
    logs.check_attempt(run, task, index, number)
    return run, failure.attempt(run, task, index, number, rows)


def _number(request: Request, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 7 else default


def _part(request: Request, found: failure.Attempt, parts: int) -> int:
    """The chosen part; by default the one with the error, or else the last one."""
    log = found.log
    if log is None or not parts:
        return 0
    if request.GET.get("part", "").isdecimal():
        return min(_number(request, "part", 0), parts - 1)
    if log.error_at is None:
        return parts - 1
    before = log.parts.filter(first_line__lte=log.error_at).order_by("-number").first()
    return before.number if before is not None else 0
