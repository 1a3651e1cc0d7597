"""The approvers of a stage: the people behind its principals (`group:x`, `user:y`), by the current groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db.models import Exists, F, OuterRef, QuerySet

from accounts import people
from accounts.models import User
from portal.approvals.models import Request, Stage, StageApprover
from portal.catalogue.document import StageSpec
from portal.core.errors import Refused


class Deciders:
    """A cache of people by principals: each combination of principals is read once."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, ...], list[User]] = {}

    def named_by(self, subjects: Iterable[str], *, without: Collection[int] = ()) -> list[User]:
        """The active people whom `subjects` name, ordered by user name. without: primary keys of people to leave
        out."""
        key = tuple(subjects)
        if key not in self._members:
            self._members[key] = people.members(key)
        return [person for person in self._members[key] if person.pk not in without]

    def of_stage(self, stage: Stage, request: Request) -> list[User]:
        """The people who may decide this stage. The requester and the beneficiary may not."""
        subjects = [approver.subject for approver in stage.approvers.all()]
        return self.named_by(subjects, without=(request.requester_id, request.beneficiary_id))


def words(subjects: Iterable[str]) -> str:
    """Principals in words: “group data, lead” for `["group:data", "user:lead"]`."""
    return ", ".join(subject_words(subject) for subject in subjects)


def subject_words(subject: str) -> str:
    kind, _, name = subject.partition(":")
    return f"group {name}" if kind == "group" else name


def approver_filter(user: User, request: OuterRef | F) -> Exists:
    """For filters: whether `user` is an approver in any step of the request with the primary key `request`."""
    return Exists(_naming(user).filter(stage__request=request))


def is_named_in(by: User, request: Request) -> bool:
    """Whether `by` is an approver in any step of this request."""
    return _naming(by).filter(stage__request=request).exists()


def _naming(user: User) -> QuerySet[StageApprover]:
    return StageApprover.objects.filter(folded__in=people.subjects_of(user))


def of_open_requests() -> set[str]:
    """The principals of all stages of the open requests."""
    rows = StageApprover.objects.filter(stage__request__closed_at=None)
    return set(rows.values_list("subject", flat=True).distinct())


def check_enough(stages: Sequence[StageSpec], *, without: Collection[int]) -> None:
    """Refuse a request that too few people can decide, because it would wait until it lapses.

    without: primary keys of the requester and the beneficiary. Raises Refused (`no_approver`); the message names the
    step with too few approvers.
    """
    deciders = Deciders()
    everybody: set[int] = set()
    for number, stage in enumerate(stages, start=1):
        able = {person.pk for person in deciders.named_by(stage.approvers, without=without)}
        everybody |= able
        if len(able) < stage.quorum or len(everybody) < sum(s.quorum for s in stages[:number]):
            raise Refused(
                f"Too few people can decide this: step {number} needs {stage.quorum} of {words(stage.approvers)}, "
                "not counting the requester and the beneficiary. Tell a platform admin.",
                reason="no_approver",
            )
