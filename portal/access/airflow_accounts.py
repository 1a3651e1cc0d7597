"""Finding the Airflow user a person is: by the name Airflow stores and by e-mail, never by a constructed name.

A wrong guess would give somebody else's account access, or (by taking their e-mail) lock a person who signs in through
an identity provider out of Airflow.
"""

from __future__ import annotations

import secrets

from django.db import IntegrityError

from accounts.models import User
from portal.access.models import Grant
from portal.airflow.bridge import Airflow, AirflowUser, Conflict
from portal.airflow.models import AirflowAccount
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.core import refs
from portal.core.text import fold
from portal.operations.handling import PermanentFailure, RetryLater


def find(person: User, deployment: Deployment, airflow: Airflow) -> AirflowUser | None:
    """The person's Airflow user, or None when there is none yet. Raises PermanentFailure when it is not safe to say."""
    link = _link_of(person, deployment)
    if link is not None:
        user = airflow.find_user(username=link.username, email=person.email, id=link.airflow_id)
        if user is not None:
            _check_theirs(person, deployment, user)  # first: the id of somebody else's account must not be kept
            _keep(link, user)
            return user
        link.delete()  # deleted in Airflow: look again
    user = airflow.find_user(username=person.username, email=person.email)
    if user is None:
        return None
    _check_theirs(person, deployment, user)
    _link(person, deployment, user, Verb.ACCOUNT_MATCHED)
    return user


def find_given(grant: Grant, airflow: Airflow) -> AirflowUser | None:
    """The account that a grant was given to, whatever it is called by now; None when Airflow has it no more.

    Another account that has taken over its name is not meant, unless it is the same person's.
    """
    person, known = grant.beneficiary, grant.airflow_user_id
    name = grant.airflow_user or person.username
    user = airflow.find_user(username=name, email=person.email, id=known)
    if user is None or is_theirs(person, user):
        return user
    if known and user.id:
        return user if user.id == known else None
    return user if grant.airflow_user and user.username.casefold() == name.casefold() else None


def _link_of(person: User, deployment: Deployment) -> AirflowAccount | None:
    """What was matched before, under any name that the catalogue has or had for this Airflow; its own first."""
    links = AirflowAccount.objects.filter(person=person, deployment__in=airflows.with_same_address(deployment))
    return min(links, key=lambda link: link.deployment_id != deployment.pk, default=None)


def _keep(link: AirflowAccount, user: AirflowUser) -> None:
    """What the account is called now; the same account under another name is an event."""
    if (link.username, link.airflow_id) == (user.username, user.id):
        return
    was, link.username = link.username, user.username
    renamed = link.airflow_id == user.id and was != user.username
    link.airflow_id = user.id
    with recording() as trail:
        link.save(update_fields=["username", "airflow_id"])
        if renamed:
            detail = {"airflow_user": user.username, "was": was}
            where = refs.deployment(link.deployment.name)
            trail.add(Verb.ACCOUNT_RENAMED, by=None, target=link.person.username, about=[where], detail=detail)


def _check_theirs(person: User, deployment: Deployment, user: AirflowUser) -> None:
    """Raise PermanentFailure unless both sides know one e-mail address. The name may belong to somebody else now."""
    if not is_theirs(person, user):
        raise PermanentFailure(
            f"Airflow on {deployment.name} has an account “{user.username}” with another e-mail address than "
            f"{person.username} has here. Make the two the same, then an admin can try again."
        )


def is_theirs(person: User, user: AirflowUser) -> bool:
    """Whether both sides know the same e-mail address."""
    return bool(person.email) and fold(person.email) == fold(user.email)


def check_can_create(person: User, deployment: Deployment) -> None:
    """Raises RetryLater where the deployment creates no accounts and the person must sign in there first.

    Raises PermanentFailure where the person has no e-mail address.
    """
    if deployment.create_users != Deployment.CreateUsers.LOCAL:
        raise RetryLater(
            f"{person.username} has no account in Airflow on {deployment.name} yet. "
            "Sign in there once; then Gatehouse continues.",
            retry_in=30,
        )
    if not person.email:
        raise PermanentFailure(
            f"{person.username} has no e-mail address in Gatehouse. Airflow needs one for an account."
        )


def create(person: User, deployment: Deployment, airflow: Airflow, roles: frozenset[str]) -> AirflowUser:
    """Make a local Airflow account with these roles (at least one) and a password nobody knows; `check_can_create`
    comes before. Raises RetryLater where Airflow has an account of this name or e-mail address by now."""
    try:
        user = airflow.create_user(
            username=person.username,
            email=person.email,
            first_name=person.first_name or person.username,
            last_name=person.last_name or "-",
            password=secrets.token_urlsafe(48),
            roles=roles,
        )
    except Conflict as error:
        raise RetryLater(str(error)) from error
    _link(person, deployment, user, Verb.ACCOUNT_CREATED)
    return user


def _link(person: User, deployment: Deployment, user: AirflowUser, verb: Verb) -> None:
    username = user.username
    others = AirflowAccount.objects.exclude(person=person).select_related("person")
    taken = others.filter(deployment__in=airflows.with_same_address(deployment), username=username)
    if (other := taken.first()) is not None:
        raise _belongs_to(other, deployment)
    try:
        with recording() as trail:
            AirflowAccount.objects.create(
                person=person,
                deployment=deployment,
                username=username,
                airflow_id=user.id,
                created_by_gatehouse=verb == Verb.ACCOUNT_CREATED,
            )
            trail.add(
                verb,
                by=None,
                target=person.username,
                about=[refs.deployment(deployment.name)],
                detail={"airflow_user": username},
            )
    except IntegrityError:
        if (other := taken.first()) is not None:
            raise _belongs_to(other, deployment) from None


def _belongs_to(other: AirflowAccount, deployment: Deployment) -> PermanentFailure:
    return PermanentFailure(
        f"The Airflow account “{other.username}” on {deployment.name} already belongs to {other.person.username}."
    )
