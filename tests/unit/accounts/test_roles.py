import pytest
from django.contrib.auth.models import AnonymousUser, Group

from accounts import matrix, roles
from accounts.models import RoleAssignment
from accounts.permissions import MATRIX, Permission, Role

pytestmark = pytest.mark.any_database


@pytest.fixture
def assigned(cast):
    roles.assign({(Role.APPROVER, "group:data-leads"), (Role.ADMIN, "user:admin"), (Role.AUDITOR, "group:auditors")})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("employee", {Role.EMPLOYEE}),
        ("lead", {Role.EMPLOYEE, Role.APPROVER}),
        ("auditor", {Role.EMPLOYEE, Role.AUDITOR}),
        ("admin", {Role.EMPLOYEE, Role.ADMIN}),
    ],
)
def test_roles_follow_from_groups_and_names_in_one_query(assigned, cast, name, expected, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert roles.roles_of(cast[name]) == expected


def test_a_person_who_cannot_sign_in_has_no_role(assigned, admin):
    admin.is_active = False
    assert roles.roles_of(admin) == frozenset()
    assert roles.roles_of(AnonymousUser()) == frozenset()
    assert not roles.has(admin, Permission.HOME)


def test_the_superuser_flag_has_no_effect(assigned, employee):
    employee.is_superuser = employee.is_staff = True
    employee.save(update_fields=["is_superuser"])
    assert roles.roles_of(employee) == {Role.EMPLOYEE}
    assert not roles.has(employee, Permission.AUDIT)


def test_leaving_the_group_ends_the_role_at_once(assigned, lead):
    assert roles.has(lead, Permission.DECIDE)
    lead.groups.remove(Group.objects.get(name="data-leads"))
    assert not roles.has(lead, Permission.DECIDE)


def test_assigning_replaces_the_table(assigned, lead):
    kept = RoleAssignment.objects.get(role=Role.ADMIN).pk
    roles.assign({(Role.ADMIN, "user:admin"), (Role.APPROVER, "user:lead")})
    rows = set(RoleAssignment.objects.values_list("role", "subject"))
    assert rows == {("admin", "user:admin"), ("approver", "user:lead")}
    assert RoleAssignment.objects.get(role=Role.ADMIN).pk == kept, "what stays is not written again"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_carries_what_the_matrix_says(assigned, stranger, role, permission):
    roles.assign({(role, "user:stranger")})
    assert roles.has(stranger, permission) == (permission in MATRIX[role] | MATRIX[Role.EMPLOYEE])


def test_the_page_of_the_matrix_is_current(settings):
    page = (settings.BASE_DIR / "docs" / "permissions.md").read_text()
    assert page == matrix.markdown(), "run `manage.py reference`"
