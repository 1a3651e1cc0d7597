"""Checks references within the file: each policy, deployment, group and entitlement must exist, once.

Two groups are the same if their folded names are equal (portal.core.text.fold). Groups must not look alike either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from portal.catalogue.dag_spec import DagSpec
from portal.catalogue.document import Document
from portal.catalogue.variable_spec import VariableSpec
from portal.core.lookalikes import looks
from portal.core.text import fold

Path = tuple[str | int, ...]
Problem = tuple[Path, str]


def problems(document: Document) -> Iterator[Problem]:
    """Every (place, reason) for which the document cannot be put in force."""
    yield from _groups(document)
    yield from _variables(document)
    yield from _entitlements(document)
    yield from _dags(document)
    yield from _policies(document)


def _groups(document: Document) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in document.groups:
        first = next((seen[alike] for alike in (fold(name), looks(name)) if alike in seen), None)
        if first is not None:
            written = name.encode("unicode_escape").decode()
            yield (
                ("groups", name),
                f"“{name[:80]}” ({written[:80]}) is, or looks like, “{first[:80]}” above; keep one, or rename one.",
            )
        seen |= {alike: name for alike in (fold(name), looks(name)) if alike not in seen}


def _entitlements(document: Document) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, spec in enumerate(document.entitlements):
        here: Path = ("entitlements", index)
        yield from _unknown((*here, "deployment"), "deployment", spec.deployment, document.deployments)
        yield from _unknown((*here, "policy"), "policy", spec.policy, document.policies)
        if spec.key in seen:
            first = f"entitlements[{seen[spec.key] + 1}]"
            yield here, f"{spec.key} is offered twice, first as {first}; remove one."
        seen.setdefault(spec.key, index)


def _variables(document: Document) -> Iterator[Problem]:
    for name, deployment in document.deployments.items():
        for index, spec in enumerate(deployment.variables):
            yield from _who_and_policy(("deployments", name, "variables", index), spec, document)


def _who_and_policy(here: Path, spec: DagSpec | VariableSpec, document: Document) -> Iterator[Problem]:
    if spec.policy is not None:
        yield from _unknown((*here, "policy"), "policy", spec.policy, document.policies)
        policy = document.policies.get(spec.policy)
        if policy is not None and policy.break_glass:
            yield (
                (*here, "policy"),
                f"“{spec.policy}” is a break-glass policy, which is only for access. Name another, or put who may "
                "act at once into who.",
            )
    for number, subject in enumerate(spec.who):
        yield from _unknown_group((*here, "who", number), subject, document)


def _dags(document: Document) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, spec in enumerate(document.dags):
        here: Path = ("dags", index)
        yield from _unknown((*here, "deployment"), "deployment", spec.deployment, document.deployments)
        yield from _who_and_policy(here, spec, document)
        for window, freeze in enumerate(spec.freeze):
            for number, subject in enumerate(freeze.exempt):
                yield from _unknown_group((*here, "freeze", window, "except", number), subject, document)
        if spec.key in seen:
            yield here, f"{spec.key} is described twice, first as dags[{seen[spec.key] + 1}]; remove one."
        seen.setdefault(spec.key, index)


def _policies(document: Document) -> Iterator[Problem]:
    keys = {spec.key for spec in document.entitlements}
    for name, policy in document.policies.items():
        here: Path = ("policies", name)
        for number, subject in enumerate(policy.may_request):
            yield from _unknown_group((*here, "may_request", number), subject, document)
        for stage_number, stage in enumerate(policy.stages):
            for number, subject in enumerate(stage.approvers):
                place = (*here, "stages", stage_number, "approvers", number)
                yield from _unknown_group(place, subject, document)
        for number, key in enumerate(policy.conflicts_with):
            yield from _unknown((*here, "conflicts_with", number), "entitlement", key, keys)


def _unknown_group(place: Path, subject: str, document: Document) -> Iterator[Problem]:
    kind, _, name = subject.partition(":")
    if kind == "group":
        yield from _unknown(place, "group", name, document.groups)


def _unknown(place: Path, kind: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    if name in known:
        return
    close = get_close_matches(name, known, n=1)
    if close:
        hint = f"Did you mean “{close[0]}”?"
    elif kind == "entitlement":
        hint = "Add it under [[entitlements]] or remove it."
    else:
        hint = f"Add [{kind if kind != 'policy' else 'policie'}s.{_quoted(name)}] or name another."
    yield place, f"there is no {kind} “{name[:80]}” in this file. {hint}"


def _quoted(name: str) -> str:
    bare = all(character.isascii() and (character.isalnum() or character in "-_") for character in name)
    return name if bare else f'"{name}"'
