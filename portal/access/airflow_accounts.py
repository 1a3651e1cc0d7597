"""Finding a person's user in Airflow: by the user name that Airflow stores and by e-mail, never by a constructed name.

A wrong match would give access to another person's account. A new account with the e-mail address of a person who signs
in through an identity provider would lock that person out of Airflow.
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
    """The person's user in Airflow; None if there is none yet. Raises PermanentFailure if the match is not certain."""
    link = _link_of(person, deployment)
    if link is not None:
        user = airflow.find_user(username=link.username, email=person.email, id=link.airflow_id)
        if user is not None:
            _check_same_email(
                person, deployment, user
            )  # first, because the id of another person's account must not be stored
            _update_link(link, user)
            return user
        link.delete()  # the user was deleted in Airflow: search by name and e-mail
    user = airflow.find_user(username=person.username, email=person.email)
    if user is None:
        return None
    _check_same_email(person, deployment, user)
    _link(person, deployment, user, Verb.ACCOUNT_MATCHED)
    return user


def find_account_of(grant: Grant, airflow: Airflow) -> AirflowUser | None:
    """The Airflow account that received the role of a grant, even if it was renamed; None if it no longer exists.

    If another account now has its name, that account is returned only if it belongs to the same person.
    """
    person, known = grant.beneficiary, grant.airflow_user_id
    name = grant.airflow_user or person.username
    user = airflow.find_user(username=name, email=person.email, id=known)
    if user is None or has_same_email(person, user):
        return user
    if known and user.id:
        return user if user.id == known else None
    return user if grant.airflow_user and user.username.casefold() == name.casefold() else None


def _link_of(person: User, deployment: Deployment) -> AirflowAccount | None:
    """The stored account of the person in this Airflow. The one of `deployment` itself is preferred to one of another
    deployment with the same address."""
    links = AirflowAccount.objects.filter(person=person, deployment__in=airflows.with_same_address(deployment))
    return min(links, key=lambda link: link.deployment_id != deployment.pk, default=None)


def _update_link(link: AirflowAccount, user: AirflowUser) -> None:
    """Store the current name and id of the account. A new name of the same account is recorded as an event."""
    if (link.username, link.airflow_id) == (user.username, user.id):
        return
    old_name, link.username = link.username, user.username
    renamed = link.airflow_id == user.id and old_name != user.username
    link.airflow_id = user.id
    with recording() as trail:
        link.save(update_fields=["username", "airflow_id"])
        if renamed:
            detail = {"airflow_user": user.username, "was": old_name}
            where = refs.deployment(link.deployment.name)
            trail.add(Verb.ACCOUNT_RENAMED, by=None, target=link.person.username, about=[where], detail=detail)


def _check_same_email(person: User, deployment: Deployment, user: AirflowUser) -> None:
    """Raises PermanentFailure if the e-mail addresses differ: the account may belong to another person now."""
    if not has_same_email(person, user):
        raise PermanentFailure(
            f"Airflow on {deployment.name} has an account “{user.username}”, but its e-mail address is not "
            f"the one of {person.username} in Gatehouse. Make the two the same, then an admin can try again."
        )


def has_same_email(person: User, user: AirflowUser) -> bool:
    """Whether the person and the Airflow user have the same e-mail address."""
    return bool(person.email) and fold(person.email) == fold(user.email)


def check_can_create(person: User, deployment: Deployment) -> None:
    """Raises RetryLater if Gatehouse creates no accounts there and the person must first sign in to Airflow.

    Raises PermanentFailure if the person has no e-mail address.
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
    """Create a local Airflow account with these roles (at least one) and a random password that is not stored. Call
    `check_can_create` first. Raises RetryLater if Airflow already has an account with this name or e-mail address."""
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
