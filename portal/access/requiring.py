"""What the grants of one person require of one Airflow, under whatever names the catalogue has or had for it."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.models import User
from portal.access.models import Grant
from portal.access.states import REQUIRING
from portal.catalogue import airflows
from portal.catalogue.models import Deployment

G = Grant.Status


def grants_of(person: User, deployment: Deployment) -> QuerySet[Grant]:
    """All grants of a person on the Airflow behind `deployment`."""
    return Grant.objects.filter(beneficiary=person, deployment__in=airflows.with_same_address(deployment))


def roles_of(person: User, deployment: Deployment) -> tuple[frozenset[str], frozenset[str]]:
    """(roles that live grants require, roles of grants that are being taken away) of a person on one Airflow.

    A grant that ends before anything was sent to Airflow gave nothing: the person may hold its role by other means.
    """
    counting = Q(status__in=REQUIRING) | Q(status=G.ENDING, sent_at__isnull=False)
    rows = grants_of(person, deployment).filter(counting).values_list("status", "role")
    required = frozenset(role for status, role in rows if status in REQUIRING)
    return required, frozenset(role for status, role in rows if status == G.ENDING)


def ordering_key(deployment: Deployment, person: User) -> str:
    """Airflow replaces a person's whole role list at once, so their changes in one Airflow go one after another."""
    return f"roles/{airflows.key(deployment)}/{person.pk}"
