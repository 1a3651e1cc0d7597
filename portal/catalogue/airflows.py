"""Which deployments are the same Airflow: those with the same address, independent of their names in the catalogue.

A renamed deployment is a retired one and a new one. Grants under the old name continue on the same Airflow.
Airflow's API has no id of an installation, so only the address can identify it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from portal.catalogue.models import Deployment

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_KEY = 200
HERE = ("127.0.0.1", "::1", "0:0:0:0:0:0:0:1")


def identity(url: str) -> str:
    """The normalised address of an Airflow: `airflow.example.com/prod` for `https://Airflow.example.com.:443/prod/`.

    The scheme is left out, because the same address with and without TLS is one Airflow.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = "localhost" if host in HERE else host
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    ending = "" if port in DEFAULT_PORTS.values() else f":{port}"
    return f"{host}{ending}{parts.path.rstrip('/')}"


def key(deployment: Deployment) -> str:
    """The normalised address in at most LONGEST_KEY characters, for columns."""
    return key_of(deployment.url)


def key_of(url: str) -> str:
    """`key`, for the address of an Airflow."""
    where = identity(url)
    return where if len(where) <= LONGEST_KEY else hashlib.sha256(where.encode()).hexdigest()


def with_same_address(deployment: Deployment) -> list[Deployment]:
    """All deployments with this Airflow's address, including retired ones and the given one."""
    one = identity(deployment.url)
    return [other for other in Deployment.objects.all() if identity(other.url) == one]


def current(deployment: Deployment) -> Deployment:
    """The deployment with whose accounts to call this Airflow: itself, or, if it is retired, one in force."""
    if deployment.retired_at is None:
        return deployment
    return next((other for other in with_same_address(deployment) if other.retired_at is None), deployment)


def all_current(deployments: Iterable[Deployment]) -> list[Deployment]:
    """The deployments with whose accounts to call these, without duplicates."""
    return list({one.pk: one for one in map(current, deployments)}.values())


def served_by(deployment: Deployment) -> list[Deployment]:
    """The deployments that are called through this one: itself, and retired ones with its address."""
    return [one for one in with_same_address(deployment) if current(one) == deployment]


def read_only() -> set[int]:
    """The primary keys of the deployments whose Airflow must not be changed now, including retired ones."""
    switched = {identity(one.url) for one in Deployment.objects.filter(read_only=True, retired_at=None)}
    return {one.pk for one in Deployment.objects.all() if identity(one.url) in switched} if switched else set()


def is_read_only(deployment: Deployment) -> bool:
    """Whether nothing may be changed in this Airflow now. Reads the database, because the switch may have changed."""
    return deployment.pk in read_only()


def spelling() -> Callable[[str], str]:
    """A function that normalises an entitlement's key if its Airflow has several names."""
    named = {row.name: key(row) for row in Deployment.objects.only("name", "url")}

    def spelled(entitlement: str) -> str:
        name, slash, rest = entitlement.partition("/")
        return f"{named.get(name, name)}{slash}{rest}"

    return spelled


def warnings(described: Mapping[str, str]) -> Iterator[str]:
    """Warnings about a file's deployments (name to address): several names of one Airflow, also in earlier versions,
    and names whose address changes."""
    known = {row.name: row for row in Deployment.objects.all()}
    for name, url in sorted(described.items()):
        if name in known and known[name].retired_at is None and identity(known[name].url) != identity(url):
            yield (
                f"deployment {name} gets another address. Gatehouse treats it as the same Airflow: access granted at "
                f"{identity(known[name].url)} will be searched for and removed at {identity(url)}. If that is another "
                "Airflow, first end the access, or give the new Airflow a new name."
            )
    earlier = {name: row.url for name, row in known.items() if name not in described}
    names: dict[str, list[str]] = {}
    for name, url in (earlier | dict(described)).items():
        names.setdefault(identity(url), []).append(name)
    for same in names.values():
        now = sorted(name for name in same if name in described)
        gone = sorted(name for name in same if name in earlier)
        if len(now) > 1:
            yield (
                f"deployments {' and '.join(now)} are the same Airflow: they have the same address. Access granted on "
                "one counts on the others."
            )
        if now and gone:
            yield (
                f"deployment {now[0]} is the Airflow that was called {', '.join(gone)}: it has the same address. "
                f"Access granted on {', '.join(gone)} stays until it ends."
            )
