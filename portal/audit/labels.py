"""Names of the kinds of events, for choosing one and for finding events by words."""

from __future__ import annotations

import re
from functools import cache

from portal.audit.sentences import SENTENCES
from portal.audit.verbs import Verb
from portal.core.text import fold

GROUPS = {
    "session": "Signing in",
    "person": "People",
    "token": "Tokens",
    "page": "Pages",
    "call": "Calls",
    "command": "Commands",
    "catalogue": "Catalogue",
    "deployment": "Deployments",
    "request": "Requests",
    "permit": "Permits",
    "grant": "Access",
    "airflow_roles": "Roles in Airflow",
    "airflow_account": "Accounts in Airflow",
    "run": "Runs",
    "dag": "DAGs",
    "variable": "Variables",
    "audit": "Audit trail",
}
"""The names of the verbs' nouns, in the order in which they are offered."""

LABELS = {
    Verb.SIGNED_IN: "Signed in",
    Verb.SIGN_IN_REFUSED: "Sign-in refused",
    Verb.SIGNED_OUT: "Signed out",
    Verb.PAGE_REFUSED: "Page refused",
    Verb.DEPLOYMENT_UP: "Deployment answers again",
    Verb.DEPLOYMENT_DOWN: "Deployment unreachable",
    Verb.DEPLOYMENT_LOCKED_OUT: "Deployment refuses Gatehouse’s account",
    Verb.GRANT_ACTIVATED: "Grant verified in Airflow",
    Verb.AUDIT_FORMAT_CHANGED: "Audit trail converted to another format",
    Verb.AUDIT_EXPORTED: "Audit trail exported",
    Verb.AUDIT_VERIFIED: "Audit trail verified",
    Verb.AUDIT_VERIFY_FAILED: "Audit trail verified: changes found",
}
"""Names for verbs whose own words are not natural English."""


def label(verb: Verb) -> str:
    """The name of a verb in the list to choose from: `request.approve_refused` is “Request approve: refused”."""
    if verb in LABELS:
        return LABELS[verb]
    words = verb.value.replace(".", " ").replace("_", " ")
    words = words.removesuffix(" refused") + ": refused" if words.endswith(" refused") else words
    words = words.removesuffix(" failed") + ": failed" if words.endswith(" failed") else words
    return re.sub(r"\b(airflow|dag)\b", lambda found: {"airflow": "Airflow", "dag": "DAG"}[found[0]], _begun(words))


def grouped() -> dict[str, list[Verb]]:
    """Every verb by its noun, in the order of GROUPS and of the verbs."""
    found: dict[str, list[Verb]] = {noun: [] for noun in GROUPS}
    for verb in Verb:
        found.setdefault(verb.value.partition(".")[0], []).append(verb)
    return {noun: verbs for noun, verbs in found.items() if verbs}


def saying(word: str) -> list[Verb]:
    """The verbs whose label, group or sentence contains the folded `word`: a search finds what the page shows."""
    return [verb for verb, words in _sayings().items() if word in words]


@cache
def _sayings() -> dict[Verb, str]:
    """The fixed text of each verb's events. The variable parts are in the text of the single event."""
    sayings = {}
    for verb, template in SENTENCES.items():
        group = GROUPS.get(verb.value.partition(".")[0], "")
        sayings[verb] = fold(f"{label(verb)}\n{group}\n" + "\n".join(re.split(r"\{\w+\}", template)))
    return sayings


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]
