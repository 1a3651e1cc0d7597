"""The form of Airflow's example DAGs, as it is first shown, starts the same run as Airflow's own form."""

from __future__ import annotations

import pytest

from portal.dags.models import Run
from tests import factories
from tests.contract.conftest import now
from tests.real_airflow import EXAMPLES, unique
from tests.views.pages import Untouched

NEEDED = {"required_field": "now it has ten"}  # a value that only a person can give
SECRET = {"hidden_secret_field"}  # by its name; its default is not known to the portal, so Airflow uses it


@pytest.mark.django_db
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_untouched_form_starts_what_airflows_own_form_starts(client_as, airflow, dag, name):
    airflow.set_paused(name, True)
    declared = airflow.dag(name)
    page, client = f"/dags/demo/{dag(name).dag_id}", client_as("colleague")
    needed = {param: value for param, value in NEEDED.items() if param in declared.params}
    sent = Untouched(client.get(page).content.decode()).sent | {f"param:{one}": [text] for one, text in needed.items()}
    answer = client.post(f"{page}/runs", sent)
    assert answer.status_code == 302, answer.context["run_form"].errors
    factories.work_off()
    run = airflow.run(name, Run.objects.get().dag_run_id)
    # its own form sends the values of all parameters
    values = {one: param.value for one, param in declared.params.items()} | needed
    own = airflow.trigger(name, dag_run_id=unique("own"), conf=values, logical_date=now())
    assert run.conf == {one: value for one, value in own.conf.items() if one not in SECRET}
