import pytest
from django.contrib.auth.models import AnonymousUser, Group

from accounts import people
from portal.core.errors import Missing


def test_subjects_name_the_person_and_their_groups(lead):
    assert people.subjects_of(lead) == {"user:lead", "group:data", "group:data-leads"}


def test_no_subject_names_a_person_who_cannot_sign_in(lead):
    lead.is_active = False
    assert people.subjects_of(lead) == frozenset()
    assert people.subjects_of(AnonymousUser()) == frozenset()
    assert not people.is_one_of(lead, ["user:lead"])


def test_a_change_of_membership_counts_at_once_for_the_same_object(lead):
    assert people.is_one_of(lead, ["group:data-leads"])
    lead.groups.remove(Group.objects.get(name="data-leads"))
    assert not people.is_one_of(lead, ["group:data-leads"])


def test_a_request_that_only_reads_asks_once(lead, django_assert_num_queries):
    people.read_once(lead)
    with django_assert_num_queries(1):
        assert people.is_one_of(lead, ["group:data-leads"])
        assert people.is_one_of(lead, ["group:data"])
        assert not people.is_one_of(lead, ["group:security"])
    again = type(lead).objects.get(pk=lead.pk)
    again.groups.clear()
    assert people.subjects_of(again) == {"user:lead"}, "another request's object remembers nothing of this one's"


def test_members_are_active_ordered_and_named_once(lead2, cast):
    assert [p.username for p in people.members(["group:data-leads", "user:lead", "user:security", "user:nobody"])] == [
        "lead",
        "lead2",
        "security",
    ]
    lead2.is_active = False
    lead2.save(update_fields=["is_active"])
    assert [p.username for p in people.members(["group:data-leads"])] == ["lead"]
    assert people.members([]) == []
    assert people.members(["group:no-such"]) == []


def test_a_group_and_a_person_of_the_same_name_are_not_mixed_up(lead, stranger):
    stranger.groups.add(Group.objects.create(name="lead"))
    assert people.is_one_of(stranger, ["group:lead"])
    assert not people.is_one_of(stranger, ["user:lead"])
    assert people.members(["user:lead"]) == [lead]


def test_by_username_in_any_case(lead):
    assert people.by_username(" Lead ") == lead
    for name in ("nobody", "", "%", "le_d"):
        with pytest.raises(Missing) as refusal:
            people.by_username(name)
        assert refusal.value.reason == "unknown_person"
