"""The role computation: any order of overlapping and touching grants leaves exactly what live grants require."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from portal.access.role_sets import is_as_required, target_roles

ROLES = ["Viewer", "User", "Op", "Admin"]
OUTSIDE = ["Auditors", "Night shift"]  # roles that no grant is about
NOTHING: frozenset[str] = frozenset()
roles = st.frozensets(st.sampled_from(ROLES))


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_what_is_given_is_there_and_what_ended_is_gone(actual, giving, required, ending):
    result = target_roles(actual, giving=giving, required=required | giving, ending=ending)
    assert giving <= result
    assert not result & (ending - required - giving)
    assert is_as_required(result, giving=giving, required=required | giving, ending=ending)


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_every_other_role_is_left_alone(actual, giving, required, ending):
    """Those that no grant speaks of, and those of other live grants: given or not, they are not this operation's."""
    result = target_roles(actual, giving=giving, required=required, ending=ending)
    assert actual - giving - (ending - required) == result - giving


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_doing_it_twice_changes_nothing_more(actual, giving, required, ending):
    once = target_roles(actual, giving=giving, required=required, ending=ending)
    assert target_roles(once, giving=giving, required=required, ending=ending) == once


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_nothing_comes_or_goes_without_a_reason(actual, giving, required, ending):
    result = target_roles(actual, giving=giving, required=required, ending=ending)
    assert result - actual <= giving
    assert actual - result <= ending - required
    assert (actual & required) <= result


@given(actual=roles, giving=roles, required=roles, ending=roles)
def test_in_line_is_when_there_is_nothing_to_send(actual, giving, required, ending):
    """So an operation that finds its work done sends nothing, and one that has sent something finds it done."""
    required |= giving
    target = target_roles(actual, giving=giving, required=required, ending=ending)
    assert is_as_required(actual, giving=giving, required=required, ending=ending) == (target == actual)


@given(actual=roles, first=roles, second=roles, required=roles, ending=roles)
def test_the_order_of_two_operations_does_not_matter(actual, first, second, required, ending):
    required |= first | second

    def after(*turns):
        shown = actual
        for giving in turns:
            shown = target_roles(shown, giving=giving, required=required, ending=ending)
        return shown

    both = target_roles(actual, giving=first | second, required=required, ending=ending)
    assert after(first, second) == after(second, first) == both


@given(actual=roles, ending=roles, another=roles)
def test_a_role_that_overlaps_stays_until_its_last_grant_ends(actual, ending, another):
    held = actual | another
    kept = target_roles(held, giving=NOTHING, required=another, ending=ending)
    assert another <= kept
    assert not target_roles(kept, giving=NOTHING, required=NOTHING, ending=ending | another) & (ending | another)


@given(actual=roles, giving=roles, ending=roles, fewer=roles, more=roles)
def test_more_live_grants_never_take_more_away(actual, giving, ending, fewer, more):
    some = target_roles(actual, giving=giving, required=fewer, ending=ending)
    all_of_them = target_roles(actual, giving=giving, required=fewer | more, ending=ending)
    assert some <= all_of_them


@given(actual=roles, first=st.sampled_from(ROLES), second=st.sampled_from(ROLES))
def test_two_that_read_before_either_writes_lose_one_which_is_why_there_is_a_lock(actual, first, second):
    """The list is replaced whole: what is computed is right for what was read, and for nothing that came after."""
    required = {first, second}
    lists = [target_roles(actual, giving={role}, required=required, ending=NOTHING) for role in (first, second)]
    assert (lists[-1] >= required) == (first in actual | {second})


def test_in_line_sees_a_missing_and_a_left_over_role():
    assert not is_as_required({"Viewer"}, giving={"User"}, required={"User"}, ending=NOTHING)
    assert not is_as_required({"Viewer", "User"}, giving=NOTHING, required=NOTHING, ending={"User"})
    assert is_as_required({"Viewer", "User"}, giving={"User"}, required={"User"}, ending={"User"})


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
        actual_now = target_roles(actual, giving=giving, required=required, ending=ending)
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


# --- with everything that can go wrong on the way --------------------------------------------------------------------
@dataclass
class Held:
    role: str
    status: str = "applying"


class OnePerson(RuleBasedStateMachine):
    """One person's grants, their operations in any order, one at a time, and an Airflow that others change as well.

    An operation may end well, be refused whole, be accepted without effect, or be done by a worker that is killed
    before it can write that down. Whatever happens: there is no role without a reason, and every active one is there.
    """

    @initialize(held=roles)
    def begin(self, held):
        self.shown = set(held)
        self.grants: list[Held] = []
        self.from_before = set(held)
        self.outside: set[str] = set()

    @rule(role=st.sampled_from(ROLES))
    def ask(self, role):
        self.grants.append(Held(role))

    @precondition(lambda self: self.of("applying", "active"))
    @rule(data=st.data())
    def end(self, data):
        grant = data.draw(st.sampled_from(self.of("applying", "active")))
        grant.status = "ending"
        self.from_before.discard(grant.role)

    @rule(role=st.sampled_from(OUTSIDE))
    def somebody_else_changes(self, role):
        self.outside ^= {role}
        self.shown ^= {role}

    @precondition(lambda self: self.of("applying", "ending"))
    @rule(data=st.data(), luck=st.sampled_from(["well", "killed", "swallowed", "refused"]))
    def execute(self, data, luck):
        self.work(data.draw(st.sampled_from(self.of("applying", "ending"))), luck)

    def work(self, grant, luck="well"):
        required = {other.role for other in self.of("applying", "active")}
        ending = {other.role for other in self.of("ending")}
        giving = {grant.role} if grant.status == "applying" else NOTHING
        target = target_roles(self.shown, giving=giving, required=required, ending=ending)
        if target != self.shown and luck in ("well", "killed"):
            self.shown = set(target)
        gone = {grant.role} if grant.status == "ending" else NOTHING
        if luck == "well" or luck == "swallowed":
            if is_as_required(self.shown, giving=giving, required=required, ending=gone):
                grant.status = "active" if grant.status == "applying" else "ended"
            else:
                assert luck == "swallowed", "what was sent does not do what it was for"

    def of(self, *statuses):
        return [grant for grant in self.grants if grant.status in statuses]

    @invariant()
    def no_role_without_a_reason(self):
        reasons = {grant.role for grant in self.of("applying", "active", "ending")}
        assert self.shown <= reasons | self.from_before | self.outside

    @invariant()
    def what_is_called_active_is_there(self):
        assert {grant.role for grant in self.of("active")} <= self.shown

    @invariant()
    def what_is_not_ours_is_as_others_left_it(self):
        assert self.shown & set(OUTSIDE) == self.outside
        assert self.from_before <= self.shown

    def teardown(self):
        for grant in self.of("applying", "ending"):
            self.work(grant)
        assert not self.of("applying", "ending")
        assert self.shown == self.from_before | self.outside | {grant.role for grant in self.of("active")}


TestOnePerson = OnePerson.TestCase
TestOnePerson.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
