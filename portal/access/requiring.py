"""The roles that the grants of one person require in one Airflow, on all deployments with its address."""

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
    """(roles that live grants require, roles of grants that are ending) of a person in one Airflow.

    An ending grant counts only if something was sent to Airflow for it. Otherwise, if the person has the role, it was
    not given by Gatehouse.
    """
    counting = Q(status__in=REQUIRING) | Q(status=G.ENDING, sent_at__isnull=False)
    rows = grants_of(person, deployment).filter(counting).values_list("status", "role")
    required = frozenset(role for status, role in rows if status in REQUIRING)
    return required, frozenset(role for status, role in rows if status == G.ENDING)


def ordering_key(deployment: Deployment, person: User) -> str:
    """The ordering key of a person's role changes in one Airflow. Airflow replaces the complete role list, so the
    changes must be made one after another."""
    return f"roles/{airflows.key(deployment)}/{person.pk}"
