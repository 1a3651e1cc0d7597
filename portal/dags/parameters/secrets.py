"""Secret parameters of runs. They are stored encrypted until the run is started, then only as a digest, and are shown
as HIDDEN everywhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.catalogue.models import Dag
from portal.core import sealing
from portal.core.errors import Invalid
from portal.core.secrecy import HIDDEN, Path, hidden_in, marks, mask, mask_all
from portal.core.secret_schema import Place, declared_in, places
from portal.dags.models import Run

if TYPE_CHECKING:  # only for annotations
    from portal.airflow.bridge import AirflowParam

LEAST = 4  # characters; a shorter secret is not searched for in notes, because it may be part of any word


@dataclass(frozen=True)
class Hidden:
    """Parameters as they are stored. shown: for everybody. sealed, digest: empty if nothing is secret."""

    shown: dict[str, Any]
    sealed: str
    digest: str
    values: tuple[str, ...]

    def without(self, text: str) -> str:
        """`text` with every secret in it replaced by HIDDEN."""
        for value in self.values:
            text = text.replace(value, HIDDEN) if len(value) >= LEAST else text
        return text


def kept(params: Mapping[str, AirflowParam]) -> dict[str, Any]:
    """The value of DagState.secrets: the places of secrets in a DAG's parameters, but no secrets."""
    found = [place for name, param in params.items() for place in places(name, param.value, param.schema)]
    return {
        "declared": [path for name, param in params.items() for path in declared_in(name, param.schema)],
        "places": [[place.path, place.text] for place in found],
    }


def places_of(dag: Dag) -> list[Place]:
    """The places where this DAG's secrets are entered, as far as they are known from Airflow."""
    known = _known(dag) or {"places": []}
    return [Place(tuple(path), text) for path, text in known["places"]]


def mask_for(dag: Dag, values: Mapping[str, Any], *, entered: Collection[Path] = ()) -> dict[str, Any]:
    """Parameters of `dag` as they may be shown. Until it is known from Airflow which are secret, all are hidden.

    entered: paths that are secret even if Airflow does not declare them secret.
    """
    known = _known(dag)
    masked = mask_all(values) if known is None else mask(values, declared=[*_paths(known), *entered])
    return _by_name(values, masked)


def mask_locked(dag: Dag) -> dict[str, Any]:
    """The DAG's locked parameters as they may be shown. Unlike other parameters they are not all hidden until the DAG
    is read: they are in gatehouse.toml, so their names are enough to find secrets."""
    return _by_name(dag.locked, mask(dag.locked, declared=_paths(_known(dag) or {"declared": []})))


def _by_name(values: Mapping[str, Any], masked: Any) -> dict[str, Any]:
    """`masked` as a mapping, even if it is HIDDEN because one of the names contains a secret."""
    return dict.fromkeys(values, HIDDEN) if masked == HIDDEN else masked


def hide(dag: Dag, conf: Mapping[str, Any], *, entered: Collection[Path] = ()) -> Hidden:
    """The parameters of a requested run, as they are stored.

    Raises Invalid if a value is HIDDEN, as it is shown in place of a secret.
    entered: paths that were entered as secrets; they are hidden even if Airflow no longer declares them secret.
    """
    for path in marks(conf):
        raise Invalid(
            {
                "conf": f"“{'.'.join(path)[:80]}” is {HIDDEN}, the mark for a hidden secret. "
                "Enter its value, or leave it out to use the DAG's default."
            }
        )
    shown = mask_for(dag, conf, entered=entered)
    if shown == conf:
        return Hidden(shown, "", "", ())
    return hidden_as(conf, shown, sealing.seal(json.dumps(conf)))


def hidden_as(conf: Mapping[str, Any], shown: dict[str, Any], sealed: str) -> Hidden:
    """The parameters `conf`, shown as `shown`, as they are stored. sealed: `conf`, encrypted; empty if nothing is
    secret."""
    if not sealed:
        return Hidden(shown, "", "", ())
    secrets = sorted(hidden_in(conf, shown), key=lambda found: found[0])  # the order of the names does not count
    digest = sealing.digest(json.dumps(secrets, sort_keys=True))
    return Hidden(
        shown, sealed, digest, tuple(value if isinstance(value, str) else json.dumps(value) for _, value in secrets)
    )


def reveal(run: Run) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters for Airflow, and the secrets in them. Raises sealing.Unreadable."""
    if not run.sealed:
        return run.conf, ()
    conf = json.loads(sealing.unseal(run.sealed))
    values = (value for _, value in hidden_in(conf, run.conf))
    return conf, tuple(value if isinstance(value, str) else json.dumps(value) for value in values)


def _known(dag: Dag) -> dict[str, Any] | None:
    state = getattr(dag, "state", None)
    return state.secrets if state else None


def _paths(known: Mapping[str, Any]) -> list[Path]:
    return [tuple(path) for path in known["declared"]]
