"""The role computation: any order of overlapping and touching grants leaves exactly what live grants require."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.worker.roles import in_line, wanted

ROLES = ["Viewer", "User", "Op", "Admin"]
roles = st.frozensets(st.sampled_from(ROLES))


@given(actual=roles, required=roles, ending=roles)
def test_what_grants_require_is_there_and_what_ended_is_gone(actual, required, ending):
    result = wanted(actual, required=required, ending=ending)
    assert required <= result
    assert not result & (ending - required)
    assert in_line(result, required=required, ending=ending)


@given(actual=roles, required=roles, ending=roles)
def test_roles_no_grant_speaks_of_are_left_alone(actual, required, ending):
    result = wanted(actual, required=required, ending=ending)
    assert actual - required - ending == result - required - ending


@given(actual=roles, required=roles, ending=roles)
def test_doing_it_twice_changes_nothing_more(actual, required, ending):
    once = wanted(actual, required=required, ending=ending)
    assert wanted(once, required=required, ending=ending) == once


def test_in_line_sees_a_missing_and_a_left_over_role():
    assert not in_line({"Viewer"}, required={"User"}, ending=set())
    assert not in_line({"Viewer", "User"}, required=set(), ending={"User"})
    assert in_line({"Viewer", "User"}, required={"User"}, ending={"User"})


step = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(ROLES)),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("work"), st.integers(0, 9)),
)


@given(held=roles, steps=st.lists(step, max_size=40))
def test_any_history_ends_with_what_live_grants_require(held, steps):
    """Grants come and go, and their operations are carried out in any order between."""
    actual, grants, outbox, ever_ended = set(held), [], [], set()

    def work(operation):
        kind, number = operation
        required = {role for role, status in grants if status in ("applying", "active")}
        ending = {role for role, status in grants if status == "ending"}
        actual_now = wanted(actual, required=required, ending=ending)
        actual.clear()
        actual.update(actual_now)
        role, status = grants[number]
        if kind == "give" and status == "applying":
            grants[number] = (role, "active")
        if kind == "take" and status == "ending":
            grants[number] = (role, "ended")

    for verb, value in steps:
        if verb == "ask":
            grants.append((value, "applying"))
            outbox.append(("give", len(grants) - 1))
        elif verb == "end" and grants and grants[value % len(grants)][1] in ("applying", "active"):
            number = value % len(grants)
            grants[number] = (grants[number][0], "ending")
            ever_ended.add(grants[number][0])
            outbox.append(("take", number))
        elif verb == "work" and outbox:
            work(outbox.pop(value % len(outbox)))
    while outbox:
        work(outbox.pop(0))

    required = {role for role, status in grants if status == "active"}
    assert all(status in ("active", "ended") for _, status in grants)
    assert actual == (set(held) - ever_ended) | required
