"""Finding the Airflow user a person is: by the name Airflow stores and by e-mail, never by a constructed name.

A wrong guess would give somebody else's account access, or (by taking their e-mail) lock a person who signs in through
an identity provider out of Airflow.
"""

from __future__ import annotations

import secrets

from django.db import IntegrityError

from accounts.models import User
from airflow_bridge import Airflow, Conflict
from airflow_bridge.types import User as AirflowUser
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue.models import AirflowAccount, Deployment
from portal.worker.handlers import GivenUp, NotYet


def find(person: User, deployment: Deployment, airflow: Airflow) -> AirflowUser | None:
    """The person's Airflow user, or None when there is none yet. Raises GivenUp when it is not safe to say."""
    link = AirflowAccount.objects.filter(person=person, deployment=deployment).first()
    if link is not None:
        user = airflow.user(link.username)
        if user is not None:
            return user
        link.delete()  # deleted in Airflow: look again
    user = airflow.find_user(username=person.username, email=person.email)
    if user is None:
        return None
    check_theirs(person, deployment, user)
    _link(person, deployment, user.username, Verb.ACCOUNT_MATCHED)
    return user


def check_theirs(person: User, deployment: Deployment, user: AirflowUser) -> None:
    """Raise GivenUp unless both sides know the same e-mail address: a name alone, also one found before, may be
    somebody else's by now."""
    if not person.email or person.email.casefold() != user.email.casefold():
        raise GivenUp(
            f"Airflow on {deployment.name} has an account “{user.username}” with another e-mail address than "
            f"{person.username} has here. Make the two agree, then an admin can try again."
        )


def create(person: User, deployment: Deployment, airflow: Airflow, roles: frozenset[str]) -> AirflowUser:
    """A local Airflow account with these roles (at least one) and a password nobody knows.

    Raises NotYet where the deployment creates none and the person must sign in there first.
    """
    if deployment.create_users != Deployment.CreateUsers.LOCAL:
        raise NotYet(
            f"{person.username} has no account in Airflow on {deployment.name} yet. "
            "Sign in there once: it goes on by itself.",
            retry_in=30,
        )
    if not person.email:
        raise GivenUp(f"{person.username} has no e-mail address here, and Airflow needs one for an account.")
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
        raise NotYet(str(error)) from error
    _link(person, deployment, user.username, Verb.ACCOUNT_CREATED)
    return user


def _link(person: User, deployment: Deployment, username: str, verb: Verb) -> None:
    try:
        with recording() as trail:
            AirflowAccount.objects.create(
                person=person,
                deployment=deployment,
                username=username,
                created_by_gatehouse=verb == Verb.ACCOUNT_CREATED,
            )
            trail.add(
                verb,
                by=None,
                target=person.username,
                deployment=deployment.name,
                detail={"airflow_user": username},
            )
    except IntegrityError:
        other = AirflowAccount.objects.exclude(person=person).filter(deployment=deployment, username=username).first()
        if other is not None:
            raise GivenUp(
                f"The Airflow account “{username}” on {deployment.name} already belongs to {other.person.username}."
            ) from None
