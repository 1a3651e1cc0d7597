"""Reading and changing Airflow's variables, but only those that the catalogue names for a deployment.

They are meant for settings of DAGs. Every change is recorded, and the trail keeps its value forever, so secrets are
refused. Reading is not recorded: only an operator can read, at the command line, and nothing is changed.
"""

from __future__ import annotations

import json

from accounts.acting import acting
from portal.airflow import clients, states
from portal.airflow.bridge import BridgeError
from portal.audit.record import Actor
from portal.audit.verbs import Verb
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Deployment
from portal.core import integers, refs
from portal.core.errors import Invalid, Refused
from portal.core.secrecy import HIDDEN, hidden_in, mask, sounds_secret
from portal.core.text_checks import clean_text
from portal.dags import limits
from portal.dags.operation_names import SET_VARIABLE
from portal.operations import outbox
from portal.operations.models import Operation

LONGEST = 4000  # characters of a value
WHY_NO_SECRETS = (
    "sounds like a secret, and the audit trail keeps every value. Keep secrets in a connection or a secrets backend."
)


class Unavailable(Exception):
    """Airflow could not be read. `str()`: the reason, for people."""


def subject(deployment: Deployment, key: str) -> str:
    """The variable's name in operations and in the trail. It has two slashes; the subject of a DAG has one."""
    return f"{deployment.name}/variable/{key}"


def check_offered(deployment: Deployment, key: str) -> None:
    """Raises Refused: `retired` (the deployment), `secret` (the name), `not_offered` (by the catalogue)."""
    if deployment.retired_at is not None:
        raise Refused(
            f"{deployment.name} is no longer in the catalogue. "
            "Put it back into gatehouse.toml to change its variables.",
            reason="retired",
        )
    if sounds_secret(key):
        raise Refused(f"“{key[:80]}” {WHY_NO_SECRETS}", reason="secret")
    if key not in deployment.variables:
        named = ", ".join(deployment.variables) or "none"
        raise Refused(
            f"The catalogue does not offer the variable “{key[:80]}” of {deployment.name}; it offers {named}. "
            "Name it under variables in gatehouse.toml.",
            reason="not_offered",
        )


def without_secrets(value: str) -> str:
    """A value from Airflow as it may be stored: secrets in it are hidden.

    Airflow 3 hides them itself, Airflow 2 does not. A value without secrets is not changed.
    """
    try:
        known = json.loads(value)
    except ValueError:  # a text
        return str(mask(value))
    except RecursionError:  # too deep to find secrets in it
        return HIDDEN
    shown = mask(known)
    return value if shown == known else json.dumps(shown, ensure_ascii=False)


def read(deployment: Deployment, key: str) -> str | None:
    """The value in Airflow; None if Airflow does not have the variable. Raises Refused, Unavailable."""
    check_offered(deployment, key)
    deployment = airflows.current(deployment)
    if why := states.why_unreadable(deployment):  # a directory may lock the account after more refused sign-ins
        raise Unavailable(why)
    try:
        found = clients.runner(deployment).variable(key)
    except BridgeError as error:
        raise Unavailable(str(error)) from error
    except secrets.SecretMissing as error:
        raise Unavailable(f"Gatehouse has no credentials for {deployment.name}: {error}") from error
    return None if found is None else found.value


def change(*, by: Actor, deployment: Deployment, key: str, value: str, reason: str) -> Operation:
    """Request a change of a variable. Raises Refused; Invalid without a reason or with an impossible value."""
    about = subject(deployment, key)
    with acting(by, refusal=Verb.VARIABLE_CHANGE_REFUSED, target=about) as (trail, by):
        check_offered(deployment, key)
        limits.check_writable(deployment)
        reason = clean_text("reason", reason, required="Say why you change it. The audit trail keeps this.")
        _check_value(value)
        operation = outbox.put(
            SET_VARIABLE,
            deployment=deployment,
            subject=about,
            payload={"key": key, "value": value, "reason": reason},
            by=by,
            about=(deployment, key),
        )
        trail.add(
            Verb.VARIABLE_CHANGE_REQUESTED,
            by=by,
            target=about,
            about=[operation.ref, refs.deployment(deployment.name)],
            detail={"value": value, "reason": reason},
        )
    return operation


def _integer(text: str) -> int:
    """Raises Invalid for a number that Airflow cannot pass to a task: a DAG may read the variable as JSON."""
    if len(text) > integers.LONGEST or not integers.fits(int(text)):
        raise Invalid({"value": f"The value holds {integers.TOO_LARGE}"})
    return int(text)


def _check_value(value: str) -> None:
    if len(value) > LONGEST:
        raise Invalid({"value": f"The value has {len(value)} characters; at most {LONGEST} are possible."})
    try:
        known = json.loads(value, parse_int=_integer)
    except ValueError:  # a text
        known = value
    except RecursionError:
        raise Invalid({"value": "The value is nested too deeply to be checked for secrets."}) from None
    for path, _ in hidden_in(known, mask(known)):
        name = next((f"“{step[:80]}”" for step in path if sounds_secret(step)), "a text")
        raise Invalid({"value": f"In the value, {name} {WHY_NO_SECRETS}"})
