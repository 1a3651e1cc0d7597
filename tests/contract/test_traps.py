"""Every trap that Airflow's APIs set for a client, and the case that a client which falls into it would fail."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

PEOPLE = "test_naive_people.py::"
CHANGES = "test_people_changes.py::"
ROLES = "test_role_changes.py::"
ACCESS = "test_naive_access.py::"
RUNS = "test_naive_runs.py::"
LIFE = "test_run_life.py::"
HERE = Path(__file__).parent

TRAPS: Mapping[str, str] = {
    # grants
    "reading the roles, adding one, writing them": f"{PEOPLE}test_two_who_each_add_a_role_lose_one",
    "trusting the 200 to a change of a user": f"{CHANGES}test_an_airflow_that_says_done_and_does_nothing",
    "naming a role twice": f"{PEOPLE}test_the_same_role_twice_is_taken_once_or_not_at_all",
    "one body for a change of roles everywhere": f"{PEOPLE}test_no_body_is_right_for_all",
    "revoking by a shorter role": f"{ROLES}test_where_permissions_are_only_added_none_is_said_to_be_taken_away",
    "deleting a role to make it anew": f"{ROLES}test_a_role_that_is_deleted_is_taken_from_everybody",
    "access to a DAG whose file sets access_control": (
        "test_dag_roles.py::test_a_file_that_sets_access_control_has_the_last_word"
    ),
    "access to a DAG that was not read yet": "test_dag_roles.py::test_a_dag_that_airflow_has_not_read_yet",
    "a role named longer than its column": "test_roles.py::test_a_name_that_airflow_cannot_keep_is_rejected",
    "proving a grant by calling as its holder": f"{PEOPLE}test_what_was_set_is_read_back_and_not_tried_out",
    "deleting somebody to lock them out at once": f"{CHANGES}test_all_roles_are_taken_away",
    "switching somebody off": f"{PEOPLE}test_nobody_is_switched_off",
    "making somebody without a role": f"{PEOPLE}test_nobody_is_made_without_a_role",
    "making somebody under a name that was guessed": f"{PEOPLE}test_who_somebody_is_told_by_their_address",
    "a slash in a user's name": f"{PEOPLE}test_a_slash_in_a_name_is_for_ever",
    "another spelling of the name": f"{PEOPLE}test_the_name_is_taken_as_it_is_stored",
    "the date of the last change as a version": f"{PEOPLE}test_a_change_of_roles_leaves_no_date",
    "deleting somebody who wrote a note": f"{PEOPLE}test_who_wrote_a_note_may_stay_for_ever",
    # signing in
    "a new token after a 401 only": f"{ACCESS}test_a_token_that_is_no_longer_one_is_a_403",
    "a 403 as a lack of permissions": (
        f"{ACCESS}test_airflow_2_says_the_same_of_a_wrong_password_and_a_lack_of_permission"
    ),
    "version or health as a proof of the credentials": f"{ACCESS}test_version_and_health_prove_nothing",
    "a token for the people of every provider": (f"{ACCESS}test_a_token_is_not_for_the_people_of_an_older_provider"),
    "finding users by a 200": "test_about.py::test_an_airflow_without_users_answers_200_to_a_question_for_them",
    "signing in for each call": f"{ACCESS}test_one_log_in_serves_many_calls",
    # runs
    "no logical date, or none on purpose": f"{RUNS}test_airflow_3_wants_to_be_told_the_moment",
    "a second try under another id": "test_runs.py::test_a_start_whose_answer_was_lost_is_found",
    "every 409 as the same request": "test_runs.py::test_a_taken_logical_date_is_a_conflict_in_words",
    "an explanation as a text": f"{ACCESS}test_an_explanation_may_be_a_list_or_an_object",
    "free text as a run's id": f"{RUNS}test_a_free_text_is_no_id",
    "waiting for a run of a paused DAG": f"{LIFE}test_a_run_of_a_paused_dag_waits_for_ever_and_that_is_said",
    "cancelling without a look": f"{RUNS}test_a_success_can_be_turned_into_a_failure",
    "clearing without saying that it is meant": f"{RUNS}test_clearing_is_only_talked_about_unless_asked_for",
    "the first row as the newest": f"{RUNS}test_the_first_row_is_the_oldest",
    "parameters checked by Airflow alone": f"{RUNS}test_only_the_first_wrong_parameter_is_told",
    "secrets among a run's parameters": f"{RUNS}test_a_run_shows_what_it_was_given_to_all_who_read_it",
    "answering for people": "test_human_tasks.py::test_a_question_for_somebody_is_left_to_them",
    "a DAG that is there as one that can be started": ("test_dags.py::test_a_dag_that_is_there_and_cannot_be_started"),
    # reading
    "a limit above the server's": "test_run_lists.py::test_more_tasks_than_airflow_gives_at_once",
    "no limit for everything": f"{ACCESS}test_no_list_is_asked_for_with_a_limit_of_nothing",
    "the same parameters for both versions": f"{ACCESS}test_what_one_version_overlooks_the_other_refuses",
    "Airflow 2's logs as JSON": f"{RUNS}test_a_log_that_never_was_is_a_text_about_it_and_goes_on_for_ever",
    "Airflow 3's logs as text": f"{RUNS}test_a_log_of_airflow_3_is_no_plain_text",
    "reading a log until there is no token": f"{LIFE}test_a_run_is_followed_and_cancelled",
}
"""What a client does wrong -> the case that shows it.

One is none of a client's: roles that are computed anew from the groups of a directory whenever somebody signs in. No
answer tells of that; who keeps the grants sees it when it compares them with what is there.
"""


@pytest.mark.parametrize("trap", TRAPS)
def test_it_has_its_case(trap: str) -> None:
    file, _, name = TRAPS[trap].partition("::")
    tree = ast.parse((HERE / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
