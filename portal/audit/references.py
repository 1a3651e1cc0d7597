"""The references of an event to what it is about: `REQ-12`, `person:employee`, `deployment:demo`."""

from __future__ import annotations

from collections.abc import Iterable

from portal.core import refs

LENGTH = 440  # the longest target with its kind

# the kind of an event's target, by the noun of its verb; for numbered targets (REQ-12) see `of_target`
KINDS = {
    "session": refs.PERSON,
    "person": refs.PERSON,
    "airflow_roles": refs.PERSON,
    "airflow_account": refs.PERSON,
    "token": refs.TOKEN,
    "command": refs.COMMAND,
    "catalogue": refs.FILE,
    "deployment": refs.DEPLOYMENT,
    "dag": refs.DAG,
    "variable": refs.VARIABLE,
    "audit": refs.TRAIL,
}


def of_target(verb: str, target: str) -> str:
    """The reference to the target of an event, with its kind: a person and a deployment may have the same name."""
    noun = verb.partition(".")[0]
    if noun in KINDS:
        return refs.named(KINDS[noun], target)
    if refs.NUMBERED.fullmatch(target):
        return target
    if noun == "page" or target.startswith("/"):
        return refs.named(refs.ADDRESS, target)
    return refs.named(refs.DAG if target.count("/") == 1 else refs.ENTITLEMENT if noun == "request" else noun, target)


def about(verb: str, target: str, others: Iterable[str]) -> list[str]:
    """The target, then the others, without duplicates. A target without a name is replaced by `unnamed:several`."""
    given = list(others)
    first = [] if refs.named(refs.UNNAMED, target) in given else [of_target(verb, target)]
    return list(dict.fromkeys(one for one in (*first, *given) if one))


def first(references: Iterable[str], kind: str) -> str:
    """The reference of this kind that the event changes; others of the kind are only mentioned. "" if there is none."""
    return next((one for one in references if refs.kind_of(one) == kind), "")
