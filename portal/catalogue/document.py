"""The structure of gatehouse.toml. Rules for values are here; rules for references are in `references.py`.

The same models read the file and the stored document of a version, so durations may be `8h` or `PT8H`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from portal.catalogue import patterns, values
from portal.catalogue.dag_spec import DagSpec
from portal.catalogue.spec import Duration, Name, Spec, Subject, Text, Title
from portal.catalogue.variable_spec import MOST, VariableSpec, once_each
from portal.core import durations


class SecretSpec(Spec):
    """Where to find a secret; never the secret itself."""

    env: Annotated[str, AfterValidator(values.variable)] | None = None
    file: Annotated[str, AfterValidator(values.absolute_path)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_the_secret(cls, given: Any) -> Any:
        if not isinstance(given, dict | SecretSpec):
            raise ValueError('a secret must not be in the file. Write { env = "NAME" } or { file = "/path" }.')
        return given

    @model_validator(mode="after")
    def _one_place(self) -> SecretSpec:
        if (self.env is None) == (self.file is None):
            raise ValueError('write exactly one place of the secret: { env = "NAME" } or { file = "/path" }.')
        return self


Word = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(values.word)]
Username = Annotated[Word, AfterValidator(values.argument)]
# for each way to sign in: (required fields, optional fields); username is always optional
SIGNING_IN: dict[str, tuple[set[str], set[str]]] = {
    "password": ({"username", "password"}, set()),
    "token": ({"token"}, {"username"}),
    "oauth2": ({"token_url", "client_id", "client_secret"}, {"username", "scope", "audience"}),
    "google": (set(), {"username", "audience"}),
    "mwaa": ({"environment"}, {"username", "region"}),
}


class AccountSpec(Spec):
    """One of Gatehouse's own accounts on a deployment, and how it signs in."""

    kind: Literal["password", "token", "oauth2", "google", "mwaa"] = "password"
    username: Username | None = Field(default=None, description="the user name in Airflow; give it if you know it")
    password: SecretSpec | None = None
    token: SecretSpec | None = None
    token_url: Annotated[str, AfterValidator(values.https)] | None = None
    client_id: Word | None = None
    client_secret: SecretSpec | None = None
    scope: Word | None = None
    audience: Word | None = None
    environment: Word | None = Field(default=None, description="name of the Amazon MWAA environment")
    region: Word | None = None

    @model_validator(mode="after")
    def _what_its_kind_takes(self) -> AccountSpec:
        needed, possible = SIGNING_IN[self.kind]
        given = {name for name in type(self).model_fields if name != "kind" and getattr(self, name) is not None}
        if missing := sorted(needed - given):
            raise ValueError(f'kind = "{self.kind}" needs {", ".join(missing)} too.')
        if foreign := sorted(given - needed - possible):
            takes = ", ".join(sorted(needed | possible))
            raise ValueError(f'kind = "{self.kind}" has no {", ".join(foreign)}; it takes {takes}.')
        return self

    @property
    def secrets(self) -> dict[str, SecretSpec]:
        """The secrets by field name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if isinstance(value, SecretSpec)}


class DeploymentSpec(Spec):
    """One Airflow installation."""

    # before the address, whose check depends on it
    allow_plain_http: bool = Field(
        default=False, description="accept http to another machine: passwords are sent unencrypted"
    )
    url: Annotated[str, AfterValidator(values.address), Field(examples=["https://airflow.example.com"])]
    api: Literal["v1", "v2"] = Field(default="v2", description="v1 for Airflow 2, v2 for Airflow 3")
    granter: AccountSpec = Field(description="the account that reads and changes people's roles")
    runner: AccountSpec = Field(description="the account that reads, runs and pauses DAGs")
    create_users: Literal["never", "local"] = "never"
    ca_bundle: Annotated[str, AfterValidator(values.absolute_path)] | None = Field(
        default=None, description="a PEM file of certificate authorities to trust instead of the system's"
    )
    read_only: bool = Field(default=False, description="nothing is changed in it; operations wait")
    max_concurrent: Annotated[int, Field(ge=1, le=64)] = Field(default=8, description="simultaneous calls to it")
    variables: Annotated[list[VariableSpec], Field(max_length=MOST), AfterValidator(once_each)] = Field(
        default=[],
        description="the Airflow variables that may be read and changed through Gatehouse",
        examples=[
            ["report_mode", {"key": "report_mode", "schema": {"enum": ["full", "fast"]}, "who": ["group:sales"]}]
        ],
    )

    @field_validator("url")
    @classmethod
    def _no_password_in_the_open(cls, url: str, info: ValidationInfo) -> str:
        if not info.data.get("allow_plain_http") and values.is_in_the_open(url):
            raise ValueError(
                f"plain http to {urlsplit(url).hostname} would send passwords unencrypted. Use https, "
                "or write allow_plain_http = true if the network between is trusted."
            )
        return url

    def columns(self) -> dict[str, Any]:
        """The columns of the deployment's row, without its name."""
        accounts = {"granter": self.granter.as_json(), "runner": self.runner.as_json()}
        options = {
            "ca_bundle": self.ca_bundle or "",
            "allow_plain_http": self.allow_plain_http,
            "max_concurrent": self.max_concurrent,
        }
        return {
            "url": self.url,
            "api": self.api,
            "accounts": accounts,
            "create_users": self.create_users,
            "options": options,
            "read_only": self.read_only,
            "variables": [variable.as_json() for variable in self.variables],
        }


class GroupSpec(Spec):
    """A group that the file names, and the role of the portal that its members have."""

    role: Literal["auditor", "admin"] | None = None


class StageSpec(Spec):
    """One step of the decision: `quorum` of `approvers` must approve."""

    approvers: Annotated[list[Subject], Field(min_length=1)]
    quorum: Annotated[int, Field(ge=1, le=20)] = 1

    @model_validator(mode="after")
    def _possible(self) -> StageSpec:
        people = set(self.approvers)
        if all(subject.startswith("user:") for subject in people) and self.quorum > len(people):
            raise ValueError(
                f"the quorum of {self.quorum} can never be reached: only {len(people)} approver(s) are named. "
                "Lower it or name more approvers."
            )
        return self


class PolicySpec(Spec):
    """Who may request access, who decides, and how long a request may wait."""

    may_request: Annotated[list[Subject], Field(min_length=1)]
    stages: list[StageSpec] = Field(description="the steps of the decision, in order; [] grants at once")
    pending_for: Annotated[Duration, AfterValidator(values.pending_time)] = timedelta(days=7)
    apply_within: Annotated[Duration, AfterValidator(values.apply_time)] = Field(
        default=timedelta(hours=1), description="if access cannot be given in this time, Gatehouse stops trying"
    )
    grace: Annotated[Duration, AfterValidator(values.grace_time)] | None = Field(
        default=None, description="how long access stays after its holder has left may_request"
    )
    ticket: Annotated[str, AfterValidator(values.ticket_pattern)] = ""
    ticket_example: Text = Field(default="", description="a ticket that matches, shown on the request form")
    ticket_url: Annotated[str, AfterValidator(values.ticket_address)] = Field(
        default="",
        description="the address of a ticket, with {ticket} in the place of its number",
        examples=["https://tickets.example.com/browse/{ticket}"],
    )
    conflicts_with: list[Annotated[str, AfterValidator(values.entitlement_key)]] = []
    break_glass: bool = False

    @model_validator(mode="after")
    def _of_a_ticket(self, info: ValidationInfo) -> PolicySpec:
        for name in ("ticket_example", "ticket_url"):
            if getattr(self, name) and not self.ticket:
                raise ValueError(f'{name} needs ticket: write ticket = "..." too, or remove {name}.')
        if values.is_stored(info):
            return self
        if self.ticket_example and not patterns.matches(self.ticket, self.ticket_example):
            raise ValueError(f'ticket_example “{self.ticket_example[:80]}” does not match ticket = "{self.ticket}".')
        return self

    @model_validator(mode="after")
    def _break_glass_is_at_once(self) -> PolicySpec:
        if self.break_glass and self.stages:
            raise ValueError("break_glass is for access granted at once: write stages = [] or remove break_glass.")
        return self


class EntitlementSpec(Spec):
    """Something that can be requested: an Airflow role, or access to one DAG at a level."""

    deployment: Name
    role: Annotated[str, AfterValidator(values.airflow_role)] | None = None
    dag: Annotated[str, AfterValidator(values.dag_id)] | None = None
    level: Literal["view", "operate"] | None = None
    title: Title
    description: Text = ""
    risk: Literal["low", "medium", "high"]
    max_duration: Annotated[Duration, AfterValidator(values.grant_time)]
    default_duration: Annotated[Duration, AfterValidator(values.grant_time)] | None = Field(
        default=None, description="the duration that the form preselects"
    )
    policy: Name

    @field_validator("default_duration")
    @classmethod
    def _no_longer_than_possible(cls, default: timedelta | None, info: ValidationInfo) -> timedelta | None:
        longest = info.data.get("max_duration")
        if default is not None and longest is not None and default > longest:
            raise ValueError(f"it is longer than max_duration ({durations.words(longest)}).")
        return default

    @model_validator(mode="after")
    def _one_kind(self) -> EntitlementSpec:
        if (self.role is None) == (self.dag is None):
            raise ValueError(
                'it is either for a role or for a DAG: write role = "Op", or dag = "..." with level = "view".'
            )
        if (self.dag is None) != (self.level is None):
            raise ValueError('write level = "view" or "operate" with dag, and only with dag.')
        return self

    @property
    def key(self) -> str:
        if self.role is not None:
            return f"{self.deployment}/role/{self.role}"
        return f"{self.deployment}/dag/{self.dag}/{self.level}"


class Document(Spec):
    """A complete gatehouse.toml."""

    deployments: dict[Name, DeploymentSpec] = {}
    groups: dict[Annotated[str, AfterValidator(values.group_name)], GroupSpec] = {}
    policies: dict[Name, PolicySpec] = {}
    entitlements: list[EntitlementSpec] = []
    dags: list[DagSpec] = []
