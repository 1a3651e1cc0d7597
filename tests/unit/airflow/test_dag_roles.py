from hypothesis import given
from hypothesis import strategies as st

from airflow_bridge import dag_permissions
from portal.airflow.dag_roles import dag_role_name

DAG_IDS = st.text("abc_.-", min_size=1, max_size=250)
LEVELS = st.sampled_from(["view", "operate"])


def test_a_name_is_recognisable_and_stays_what_it_is():
    """Roles that exist in Airflow are found by these names: a change here would orphan them."""
    assert dag_role_name("sales_report", "view") == "gatehouse_view_sales_report_3748cac2"


@given(DAG_IDS, LEVELS, DAG_IDS, LEVELS)
def test_names_fit_and_differ(one, level, other, other_level):
    names = {dag_role_name(one, level), dag_role_name(other, other_level)}
    assert all(len(name) <= 64 and name.startswith("gatehouse_") for name in names)
    assert len(names) == len({(one, level), (other, other_level)})


def test_long_ids_that_begin_alike_have_different_roles():
    assert dag_role_name("x" * 249 + "a", "view") != dag_role_name("x" * 249 + "b", "view")


def test_viewing_changes_nothing_and_operating_adds_running_and_pausing():
    view, operate = dag_permissions("x", "view"), dag_permissions("x", "operate")
    assert {("can_read", "DAG:x"), ("can_read", "DAG Run:x"), ("can_read", "Website")} <= view
    assert all(action in ("can_read", "menu_access") for action, _ in view)
    assert operate - view == {("can_edit", "DAG:x"), ("can_create", "DAG Run:x")}
    assert not any(resource in ("DAGs", "Users", "Roles") and action != "menu_access" for action, resource in operate)
