"""Warnings about the people whom a catalogue names. People change independently, so these are not mistakes."""

from __future__ import annotations

from collections.abc import Iterator

from accounts import people
from accounts.models import User
from portal.catalogue.document import AccountSpec, Document
from portal.core.text import fold


def warnings(document: Document) -> Iterator[str]:
    """Situations in which requests would wait, or that are less safe than possible, with what to do."""
    yield from _steps_without_people(document)
    yield from _unknown_people(document)
    yield from _shared_accounts(document)


def _steps_without_people(document: Document) -> Iterator[str]:
    for name, policy in document.policies.items():
        for number, stage in enumerate(policy.stages, start=1):
            able = len(people.members(stage.approvers))
            if able < stage.quorum:
                named = ", ".join(stage.approvers)
                there = f"only {able} of them" if able else "none of them"
                yield (
                    f"policy {name}, step {number}: {stage.quorum} of {named} must approve, but {there} can sign in "
                    "now. Add people (manage.py person add) or name other approvers."
                )


def _unknown_people(document: Document) -> Iterator[str]:
    subjects = {subject for spec in document.dags for subject in spec.who}
    variables = [spec for deployment in document.deployments.values() for spec in deployment.variables]
    subjects.update(subject for spec in variables for subject in spec.who)
    subjects.update(subject for spec in document.dags for freeze in spec.freeze for subject in freeze.exempt)
    for policy in document.policies.values():
        subjects.update(policy.may_request, *(stage.approvers for stage in policy.stages))
    names = {fold(subject): subject for subject in subjects if subject.startswith("user:")}
    there = User.objects.filter(folded__in=[name.removeprefix("user:") for name in names])
    known = {f"user:{name}" for name in there.values_list("folded", flat=True)}
    for subject in sorted(names[name] for name in names.keys() - known):
        yield f"{subject} is not in Gatehouse yet (manage.py person add)."


def _shared_accounts(document: Document) -> Iterator[str]:
    for name, spec in document.deployments.items():
        if _same_account(spec.granter, spec.runner):
            yield (
                f"deployment {name}: granter and runner are the same account. An account that may change people's "
                "roles can make itself Admin. Use a separate account to run DAGs."
            )


def _same_account(one: AccountSpec, other: AccountSpec) -> bool:
    """Airflow ignores case in user names when somebody signs in."""
    if one.username is None or other.username is None:
        return one == other
    return one.username.casefold() == other.username.casefold()
