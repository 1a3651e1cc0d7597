"""The list of operable DAGs of one person, page by page. Only the DAGs of the page are read completely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.models import User
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Dag
from portal.core import paging
from portal.core.errors import Missing
from portal.core.text import contains_words, search_words
from portal.dags.models import DagState
from portal.dags.permissions import Policies, may_see
from portal.dags.permits import permits
from portal.dags.queries import DagOption, option_of

NAME = "dags"
LIGHT = ("dag_id", "who", "policy", "deployment__name")
LIGHT_STATE = ("state__description", "state__tags", "state__owners")


@dataclass(frozen=True)
class DagPage:
    """options: the DAGs of this page. next: the cursor of the next page; empty on the last one. total: how many DAGs
    match in all. tags: of all DAGs that the person may see, with their numbers, the most frequent first."""

    options: list[DagOption]
    next: str
    total: int
    tags: list[tuple[str, int]]


def page_of(user: User, *, q: str = "", tag: str = "", after: str = "", size: int) -> DagPage:
    """The DAGs that `user` may see, by deployment and name.

    q: words that are searched in name, description, tags, owners and deployment. tag: only DAGs with this tag.
    after: the cursor of the page before. Raises Invalid (`q`), Missing for a cursor that is not of this list.
    """
    words, policies = search_words(q), catalogue.policies_in_force()
    rows = catalogue.dags_in_force().select_related("deployment", "state").only(*LIGHT, *LIGHT_STATE)
    seen = [dag for dag in rows if may_see(user, dag, policies)]
    found = sorted(
        (_place(dag), dag.pk)
        for dag in seen
        if (not tag or tag in _state(dag).tags) and (not words or contains_words(_searched(dag), words))
    )
    rest = [pk for place, pk in found if place > _after(after)] if after else [pk for _, pk in found]
    cursor = paging.write_cursor(NAME, rest[size - 1]) if len(rest) > size else ""
    return DagPage(_options(user, rest[:size], policies), cursor, len(found), _counted(seen))


def _place(dag: Dag) -> tuple[str, str]:
    return dag.deployment.name, dag.dag_id


def _after(cursor: str) -> tuple[str, str]:
    """The place of the last DAG of the page before. It may have left the catalogue since."""
    try:
        [pk] = paging.read_cursor(cursor, NAME, int)
        return _place(Dag.objects.select_related("deployment").get(pk=pk))
    except (paging.BadCursor, Dag.DoesNotExist):
        raise Missing("There is no such page of this list. Open the list again.") from None


def _state(dag: Dag) -> DagState:
    state: DagState | None = getattr(dag, "state", None)
    return state or DagState()


def _searched(dag: Dag) -> str:
    state = _state(dag)
    return "\n".join([dag.dag_id, dag.deployment.name, state.description, *state.tags, *state.owners])


def _options(user: User, keys: list[int], policies: Policies) -> list[DagOption]:
    rows = catalogue.dags_in_force().select_related("deployment", "state__switch").filter(pk__in=keys)
    by_key: Mapping[int, Dag] = {dag.pk: dag for dag in rows}
    allowing = permits.by_dag(user)
    return [option_of(user, by_key[pk], policies, allowing) for pk in keys if pk in by_key]


def _counted(seen: list[Dag]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for dag in seen:
        for tag in _state(dag).tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
