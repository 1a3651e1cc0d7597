"""Which deployments are one Airflow: those at the same address, whatever the catalogue calls them.

A deployment that got another name is retired and added anew; the grants of the old name go on, on the same Airflow.
Airflow's API tells no id of an installation, so that the address is all there is to go by.
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
    """An Airflow's address in one spelling: `airflow.example.com/prod` of `https://Airflow.example.com.:443/prod/`.

    The scheme is left out: an address that answers with and without TLS is one Airflow.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    host = "localhost" if host in HERE else host
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    ending = "" if port in DEFAULT_PORTS.values() else f":{port}"
    return f"{host}{ending}{parts.path.rstrip('/')}"


def key(deployment: Deployment) -> str:
    """The identity in at most LONGEST_KEY characters, for columns."""
    where = identity(deployment.url)
    return where if len(where) <= LONGEST_KEY else hashlib.sha256(where.encode()).hexdigest()


def same_as(deployment: Deployment) -> list[Deployment]:
    """All deployments that are this Airflow, those that left the catalogue too; itself among them."""
    one = identity(deployment.url)
    return [other for other in Deployment.objects.all() if identity(other.url) == one]


def through(deployment: Deployment) -> Deployment:
    """The deployment by which to speak to this Airflow: itself, or, where it left the catalogue, one that is in it."""
    if deployment.retired_at is None:
        return deployment
    return next((other for other in same_as(deployment) if other.retired_at is None), deployment)


def each_through(deployments: Iterable[Deployment]) -> list[Deployment]:
    """The deployments by which to speak to these, each once."""
    return list({one.pk: one for one in map(through, deployments)}.values())


def reached_through(deployment: Deployment) -> list[Deployment]:
    """The deployments that are spoken to by this one: itself, and those at its address that left the catalogue."""
    return [one for one in same_as(deployment) if through(one) == deployment]


def spelling() -> Callable[[str], str]:
    """A function that gives an entitlement's key one spelling, whichever of its Airflow's names it begins with."""
    named = {row.name: key(row) for row in Deployment.objects.only("name", "url")}

    def spelled(entitlement: str) -> str:
        name, slash, rest = entitlement.partition("/")
        return f"{named.get(name, name)}{slash}{rest}"

    return spelled


def warnings(described: Mapping[str, str]) -> Iterator[str]:
    """What a file's deployments (name to address) mean where several names are one Airflow, those of earlier versions
    too, and where one name gets another address."""
    known = {row.name: row for row in Deployment.objects.all()}
    for name, url in sorted(described.items()):
        if name in known and known[name].retired_at is None and identity(known[name].url) != identity(url):
            yield (
                f"deployment {name} gets another address. Gatehouse takes it for the same Airflow: what was granted at "
                f"{identity(known[name].url)} is looked for and taken away at {identity(url)}. If that is another "
                "Airflow, end the access first, or give the new Airflow a new name."
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
                f"deployments {' and '.join(now)} are one Airflow: they have the same address. Access granted on one "
                "counts on the others."
            )
        if now and gone:
            yield (
                f"deployment {now[0]} is the Airflow that was called {', '.join(gone)}: it has the same address. "
                f"Access granted on {', '.join(gone)} stays until its end."
            )
