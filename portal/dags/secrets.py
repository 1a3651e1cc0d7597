"""Secret parameters of runs: encrypted until Airflow has them, afterwards a digest; shown as HIDDEN everywhere."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.catalogue.models import Dag
from portal.core import sealing
from portal.core.errors import Invalid
from portal.core.secrecy import HIDDEN, Path, hidden_in, holds_secret, marks, mask, mask_all
from portal.core.secret_schema import Place, declared_in, places
from portal.dags.models import Run

if TYPE_CHECKING:  # the shape alone
    from portal.airflow.bridge import AirflowParam

LEAST = 4  # characters; a shorter text says nothing in a note


@dataclass(frozen=True)
class Hidden:
    """Parameters as they are kept: `shown` for everybody; `sealed` and `digest` are empty where nothing is secret."""

    shown: dict[str, Any]
    sealed: str
    digest: str
    values: tuple[str, ...]

    def without(self, text: str) -> str:
        """`text` without the secrets, where somebody wrote one of them."""
        for value in self.values:
            text = text.replace(value, HIDDEN) if len(value) >= LEAST else text
        return text


def kept(params: Mapping[str, AirflowParam]) -> dict[str, Any]:
    """What DagState.secrets keeps of a DAG's parameters: where secrets are, and none of them."""
    found = [place for name, param in params.items() for place in places(name, param.value, param.schema)]
    return {
        "declared": [path for name, param in params.items() for path in declared_in(name, param.schema)],
        "places": [[place.path, place.text] for place in found],
    }


def places_of(dag: Dag) -> list[Place]:
    """Where this DAG takes secrets, as far as Airflow has told."""
    known = _known(dag) or {"places": []}
    return [Place(tuple(path), text) for path, text in known["places"]]


def mask_for(dag: Dag, values: Mapping[str, Any], *, entered: Collection[Path] = ()) -> dict[str, Any]:
    """Parameters of `dag` as they may be shown. Where Airflow has not told yet what is secret, all of them may be.

    entered: paths that are secret whatever Airflow declares.
    """
    known = _known(dag)
    masked = mask_all(values) if known is None else mask(values, declared=[*_paths(known), *entered])
    return _by_name(values, masked)


def mask_locked(dag: Dag) -> dict[str, Any]:
    """The DAG's locked parameters as they may be shown; they stand in the catalogue's file, so names decide."""
    return _by_name(dag.locked, mask(dag.locked, declared=_paths(_known(dag) or {"declared": []})))


def _by_name(values: Mapping[str, Any], masked: Any) -> dict[str, Any]:
    """Masked parameters by name, also where a secret in one of the names hides all of them."""
    return dict.fromkeys(values, HIDDEN) if masked == HIDDEN else masked


def hide(dag: Dag, conf: Mapping[str, Any], *, entered: Collection[Path] = ()) -> Hidden:
    """Parameters of a run that is asked for.

    Raises Invalid where HIDDEN was sent back in the place of a secret, and for a secret in a parameter's name.
    entered: where values were entered as secrets; they are hidden even if Airflow no longer declares them secret.
    """
    for path in marks(conf):
        raise Invalid(
            {
                "conf": f"“{'.'.join(path)[:80]}” is {HIDDEN}, the mark for a hidden secret. "
                "Enter its value, or leave it out to use the DAG's default."
            }
        )
    if any(holds_secret(name) for name in conf):
        raise Invalid({"conf": "The name of a parameter contains a credential. Remove it."})
    shown = mask_for(dag, conf, entered=entered)
    if shown == conf:
        return Hidden(shown, "", "", ())
    secrets = list(hidden_in(conf, shown))
    return Hidden(
        shown,
        sealing.seal(json.dumps(conf)),
        sealing.digest(json.dumps(secrets, sort_keys=True)),
        tuple(value if isinstance(value, str) else json.dumps(value) for _, value in secrets),
    )


def reveal(run: Run) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the parameters for Airflow, the secrets in them). Raises sealing.Unreadable."""
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
