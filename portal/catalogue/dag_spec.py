"""The entries [[dags]] of gatehouse.toml: DAGs that people may operate through the portal."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationInfo, model_validator

from portal.catalogue import keywords, values
from portal.catalogue.freezes import FreezeSpec
from portal.catalogue.spec import Name, Spec, Subject
from portal.core import json_schema

Action = Literal["trigger", "pause", "retry", "cancel", "logs"]


def _bounds(value: Any) -> Any:
    values.parameters(value)
    if isinstance(value, dict):
        keywords.checked(value)
    return value


class DagSpec(Spec):
    """One DAG, the DAGs of a glob, or the DAGs with a tag."""

    deployment: Name
    dag: Annotated[str, AfterValidator(values.dag_or_glob)] | None = Field(
        default=None, description="the id of one DAG, or a glob: * is any text, ? is one character"
    )
    dag_tag: Annotated[str, AfterValidator(values.dag_tag)] | None = Field(
        default=None, description="all DAGs that have this tag in Airflow"
    )
    actions: Annotated[list[Action], Field(min_length=1)]
    who: list[Subject] = Field(default=[], description="the people who may act without approval")
    policy: Name | None = Field(default=None, description="people in its may_request see the DAG, but may not act")
    locked: Annotated[dict[str, JsonValue], BeforeValidator(values.parameters)] = Field(
        default={}, description="parameters nobody may change"
    )
    bounds: Annotated[dict[str, dict[str, JsonValue]], BeforeValidator(_bounds)] = Field(
        default={}, description="JSON Schema keywords by parameter, in addition to the DAG's own"
    )
    undeclared: bool = Field(default=False, description="accept parameters that the DAG does not declare")
    requester_param: Annotated[str, AfterValidator(values.parameter_name)] | None = Field(
        default=None, description="a parameter that Gatehouse fills with the user name of the person who runs the DAG"
    )
    results: Annotated[list[Annotated[str, AfterValidator(values.result)]], Field(max_length=20)] = Field(
        default=[], description="XComs shown on the page of a run, each as task.key", examples=[["publish.report_url"]]
    )
    max_runs_per_hour: Annotated[int, Field(ge=1, le=10_000)] | None = None
    one_at_a_time: bool = Field(default=False, description="no run starts while another run of the DAG has not ended")
    freeze: Annotated[list[FreezeSpec], Field(max_length=100)] = Field(
        default=[], description="times during which the DAG cannot be run"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> DagSpec:
        if (self.dag is None) == (self.dag_tag is None):
            raise ValueError(
                "it is either for a name or for a tag: write "
                'dag = "sales_report", dag = "sales_*" or dag_tag = "sales".'
            )
        return self

    @model_validator(mode="after")
    def _somebody(self) -> DagSpec:
        if not self.who and self.policy is None:
            raise ValueError(
                "nobody could see it: name people in who (they may act at once), or a policy (its may_request see it)."
            )
        return self

    @model_validator(mode="after")
    def _requester_param_is_free(self) -> DagSpec:
        for name, taken in (("locked", self.locked), ("bounds", self.bounds)):
            if self.requester_param in taken:
                raise ValueError(
                    f"requester_param = “{self.requester_param}” is in {name} too, but Gatehouse fills it with the "
                    f"user name; remove it from {name}."
                )
        return self

    @model_validator(mode="after")
    def _locked_values_are_possible(self, info: ValidationInfo) -> DagSpec:
        if values.is_stored(info):
            return self
        for name in self.locked.keys() & self.bounds.keys():
            if wrong := json_schema.errors(self.bounds[name], self.locked[name]):
                raise ValueError(  # the value may be secret, so it is not repeated
                    f"the value of “{name[:60]}” in locked is not within its bounds ({wrong[0].validator}); "
                    "correct one of them."
                )
        return self

    @property
    def key(self) -> str:
        """`prod/sales_report`, `prod/sales_*`, `prod/tag:sales`. The id of a DAG has no colon."""
        return f"{self.deployment}/{self.dag}" if self.dag is not None else f"{self.deployment}/tag:{self.dag_tag}"

    @property
    def is_pattern(self) -> bool:
        """Whether it covers the DAGs of a glob or a tag, instead of one named DAG."""
        return self.dag is None or values.is_glob(self.dag)

    def columns(self) -> dict[str, Any]:
        """The columns of the row of each DAG that this entry covers, without deployment and DAG id."""
        plain = self.as_json()
        return {
            "entry": self.key,
            "actions": list(self.actions),
            "who": list(self.who),
            "policy": self.policy or "",
            "locked": dict(self.locked),
            "bounds": dict(self.bounds),
            "undeclared": self.undeclared,
            "requester_param": self.requester_param or "",
            "results": list(self.results),
            "max_runs_per_hour": self.max_runs_per_hour,
            "one_at_a_time": self.one_at_a_time,
            "freeze": plain["freeze"],
        }
