"""The portal's actions and its worker's own code in front of a real Airflow of each main release.

portal             the catalogue in force, its deployment `demo` at the address of `way`, known to be up
way                the proxy between the worker and Airflow: what the worker asked, and what is lost on the way
airflow            the administrator's own view of Airflow, past the proxy
work_off()         executes the due operations; poll() reads what is due, as the worker's polling does
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.models import User
from airflow_bridge import Airflow, PasswordAuth, connect
from portal.airflow import clients
from portal.catalogue.models import Dag, Deployment
from portal.dags.models import Run
from portal.worker import runs
from portal.worker.polling import Poller
from tests import factories
from tests.contract.raw import Raw
from tests.contract.servers import RealServer, wait_until
from tests.contract.targets import MAIN, Target
from tests.faults.kinds import KINDS
from tests.faults.proxy import LossyProxy
from tests.real_airflow import EXAMPLES, RealAirflow, RealAirflows, on

STILL = "contract_bounded"
"""A DAG that is always paused, so its runs cost nothing."""
OPERATED = """
[[dags]]
deployment = "demo"
dag = "{dag}"
actions = ["trigger", "pause", "retry", "cancel", "logs"]
who = ["group:sales"]
{more}
"""
MORE = {
    STILL: "bounds = { rows = { maximum = 8 } }",
    "contract_retried": 'results = ["first.return_value", "first.address", "second.nothing"]',
    "contract_asks": "",
    **dict.fromkeys(EXAMPLES, ""),
}
"""What the catalogue says of each DAG that is operated beside the demo's."""


@pytest.fixture(params=[pytest.param(name, marks=on(name)) for name in MAIN])
def real(request: pytest.FixtureRequest, real_airflows: RealAirflows) -> RealAirflow:
    return real_airflows.get(request.param)


@pytest.fixture
def airflow(real: RealAirflow) -> Iterator[Airflow]:
    client = connect(name="past the proxy", url=real.url, api=real.api, auth=PasswordAuth(*real.admin), timeout=30)
    yield client
    client.close()


@pytest.fixture
def raw(real: RealAirflow) -> Raw:
    """The administrator without the bridge, for what the bridge does not do."""
    return Raw(RealServer(Target(real.release, real=True), real), *real.admin)


@pytest.fixture
def way(real: RealAirflow) -> Iterator[LossyProxy]:
    with LossyProxy(real.url, KINDS) as proxy:
        yield proxy


@pytest.fixture
def portal(
    cast: dict[str, User],
    real: RealAirflow,
    airflow: Airflow,
    way: LossyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    wait_until(lambda: all(map(airflow.dag, (STILL, *EXAMPLES))), "the DAG files are read")
    for name, (_, password) in zip(factories.SECRETS, (real.granter, real.runner), strict=True):
        monkeypatch.setenv(name, password)
    more = "".join(OPERATED.format(dag=dag, more=more) for dag, more in MORE.items())
    factories.offer(tmp_path, url=way.url, api=real.api, source=factories.CATALOGUE.read_text() + more)
    factories.look_at_all()
    yield Deployment.objects.get()
    clients.close_all()


def poll() -> None:
    """One visit of the worker's polling: the health, the due runs, the due DAGs, the waiting tasks."""
    for deployment in Deployment.objects.all():
        Poller().visit(deployment)


@pytest.fixture
def dag(portal: Deployment) -> Callable[[str], Dag]:
    """dag("sales_report") is that DAG, which the worker has read."""

    def known(dag_id: str) -> Dag:
        row = Dag.objects.select_related("deployment").get(dag_id=dag_id)
        runs.read_dag(row)
        return Dag.objects.select_related("deployment", "state").get(pk=row.pk)

    return known


def until(run: Run, status: str) -> Run:
    """The run, once polling has read this status."""

    def read() -> bool:
        poll()
        run.refresh_from_db()
        assert run.status == status or not run.is_final, f"{run.ref} is {run.status}: {run.error}{run.remark}"
        return run.status == status

    wait_until(read, f"{run.ref} is {status}")
    return run


def ids(airflow: Airflow, dag_id: str) -> list[str]:
    """The ids of all runs of a DAG in Airflow."""
    return [run.dag_run_id for run in airflow.runs(dag_id)]
