"""The role computation: any order of overlapping and touching grants leaves exactly what live grants require."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.worker.roles import in_line, wanted

ROLES = ["Viewer", "User", "Op", "Admin"]
roles = st.frozensets(st.sampled_from(ROLES))


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_what_is_given_is_there_and_what_ended_is_gone(actual, giving, required, ending):
    result = wanted(actual, giving=giving, required=required | giving, ending=ending)
    assert giving <= result
    assert not result & (ending - required - giving)
    assert in_line(result, giving=giving, required=required | giving, ending=ending)


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_every_other_role_is_left_alone(actual, giving, required, ending):
    """Those that no grant speaks of, and those of other live grants: given or not, they are not this operation's."""
    result = wanted(actual, giving=giving, required=required, ending=ending)
    assert actual - giving - (ending - required) == result - giving


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_doing_it_twice_changes_nothing_more(actual, giving, required, ending):
    once = wanted(actual, giving=giving, required=required, ending=ending)
    assert wanted(once, giving=giving, required=required, ending=ending) == once


def test_in_line_sees_a_missing_and_a_left_over_role():
    nothing = frozenset()
    assert not in_line({"Viewer"}, giving={"User"}, required={"User"}, ending=nothing)
    assert not in_line({"Viewer", "User"}, giving=nothing, required=nothing, ending={"User"})
    assert in_line({"Viewer", "User"}, giving={"User"}, required={"User"}, ending={"User"})


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
        role, status = grants[number]
        giving = {role} if status == "applying" else set()
        actual_now = wanted(actual, giving=giving, required=required, ending=ending)
        actual.clear()
        actual.update(actual_now)
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
