"""A request kind of a room that only tests have: nothing of portal.approvals knows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.acting import acting
from accounts.models import User
from portal.approvals import actions, kinds, lapsing, opening, queries
from portal.approvals.kinds import Kind
from portal.approvals.models import Decision, Request, Waiting
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import StageSpec
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.core.errors import Conflict, Invalid, Refused
from tests.factories import person

pytestmark = pytest.mark.any_database

STAGES = [StageSpec(approvers=["group:data-leads"], quorum=2), StageSpec(approvers=["user:security", "group:security"])]


class LampKind(Kind):
    """Asks that a lamp be lit. It has no duration, and several may be asked for at once."""

    name = "lamp"
    model = Request

    def __init__(self) -> None:
        self.lit: list[str] = []
        self.broken = self.gone = ""

    def label(self, request: Request) -> str:
        return f"the lamp {request.about}"

    def check_again(self, request: Request, *, by: User) -> None:
        if self.broken:
            raise Refused(self.broken, reason="broken")

    def approved(self, request: Request, *, duration, event, trail) -> None:
        self.lit.append(request.about)
        event["detail"]["lit"] = True

    def outdated(self, request: Request) -> str:
        return self.gone


@pytest.fixture
def lamp(catalogue, monkeypatch) -> LampKind:
    kind = LampKind()
    monkeypatch.setitem(kinds._kinds, kind.name, kind)
    return kind


def ask(by: str = "employee", *, about: str = "hall", only_one: bool = True, key: str | None = None) -> Request:
    with acting(person(by), refusal=Verb.REQUEST_SUBMIT_REFUSED, target=about) as (trail, asking):
        return opening.open_request(
            Request(
                kind="lamp",
                requester=asking,
                beneficiary=asking,
                about=about,
                only_one=only_one,
                deployment=Deployment.objects.get(),
                risk="low",
                reason="it is dark",
                policy="one-lead",
                policy_version=catalogue.version_in_force().number,
                lapses_at=clock.now() + timedelta(hours=1),
            ),
            key=key,
            stages=STAGES,
            trail=trail,
        )


def test_it_is_decided_stage_by_stage_and_approved_with_the_last_quorum(lamp):
    request = ask()
    assert [row.pk for row in queries.decidable_by(person("lead"))] == [request.pk]
    assert not queries.decidable_by(person("security")).exists()
    for name in ("lead", "lead2"):
        assert lamp.lit == []
        actions.approve(request_id=request.pk, by=person(name))
    assert not queries.decidable_by(person("lead2")).exists()
    assert queries.count_for(person("security")) == 1, "two principals name the same person once"
    actions.approve(request_id=request.pk, by=person("security"))
    assert lamp.lit == ["hall"]
    assert Request.objects.get().status == "approved"
    assert not Waiting.objects.exists()
    last = AuditEvent.objects.filter(verb=Verb.REQUEST_APPROVED).order_by("-seq")[0]
    assert last.detail["lit"] is True
    assert last.detail["about"] == "hall"


def test_what_the_kind_refuses_is_not_approved(lamp):
    request = ask()
    lamp.broken = "The lamp is broken."
    with pytest.raises(Refused, match="broken"):
        actions.approve(request_id=request.pk, by=person("lead"))
    assert not Decision.objects.exists()
    assert queries.count_for(person("lead")) == 1


def test_one_without_a_duration_is_not_approved_for_less(lamp):
    request = ask()
    with pytest.raises(Invalid, match="no duration"):
        actions.approve(request_id=request.pk, by=person("lead"), duration=timedelta(hours=1))
    assert not Decision.objects.exists()


@pytest.mark.parametrize("end", ["deny", "withdraw", "lapse"])
def test_its_end_takes_it_out_of_every_queue(lamp, end):
    request = ask()
    if end == "deny":
        actions.deny(request_id=request.pk, by=person("lead"), comment="too bright")
    elif end == "withdraw":
        actions.withdraw(request_id=request.pk, by=person("employee"))
    else:
        with recording() as trail:
            lapsing.lapse_of(person("employee"), by=None, trail=trail)
    assert not Waiting.objects.exists()
    assert lamp.lit == []


def test_a_second_open_one_about_the_same_thing_is_refused_where_the_kind_says_so(lamp):
    first = ask()
    with pytest.raises(Conflict, match=first.ref):
        ask()
    ask(about="attic")
    ask("colleague")
    actions.withdraw(request_id=first.pk, by=person("employee"))
    ask()
    assert ask(about="cellar", only_one=False).about == ask(about="cellar", only_one=False).about
    assert Request.objects.filter(about="cellar", closed_at=None).count() == 2


def test_the_same_form_is_one_submission_and_the_request_is_told_as_sent_before(lamp):
    first = ask(key="form")
    again = ask(key="form")
    assert (again.pk, again.sent_again) == (first.pk, True)
    assert Request.objects.count() == 1
    assert opening.sent_before(person("colleague"), "form") is None


def test_it_lapses_when_its_kind_finds_it_outdated(lamp, tmp_path):
    request = ask()
    assert lapsing.outdated(request) == ""
    lamp.gone = "There is no lamp in the hall any more."
    assert lapsing.outdated(request) == lamp.gone


def test_it_is_returned_and_sent_again(lamp):
    request = ask()
    actions.return_for_changes(request_id=request.pk, by=person("lead"), comment="Which one?")
    for changed, field in (({"reason": " "}, "reason"), ({"duration": timedelta(hours=1)}, "duration")):
        with pytest.raises(Invalid) as wrong:
            resubmit(request_id=request.pk, by=person("employee"), **changed)
        assert list(wrong.value.fields) == [field]
    lamp.broken = "The lamp is broken."
    with pytest.raises(Refused, match="broken"):
        resubmit(request_id=request.pk, by=person("employee"))
    lamp.broken = ""
    resubmit(request_id=request.pk, by=person("employee"), reason="the one by the door")
    for name in ("lead", "lead2", "security"):
        assert lamp.lit == [], "the steps of the first round"
        actions.approve(request_id=request.pk, by=person(name), round=2)
    assert lamp.lit == ["hall"]
