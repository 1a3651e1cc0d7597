import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts import attempts
from accounts.models import RateCount
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests.factories import PASSWORD
from tests.unit.accounts import urls

pytestmark = pytest.mark.urls(urls.__name__)

WRONG = "not the password"


@pytest.fixture(autouse=True)
def _pages(settings, tmp_path):
    """The pages' looks are none of these tests' business."""
    (tmp_path / "account").mkdir()
    said = "{% for message in messages %}{{ message }}{% endfor %}"
    (tmp_path / "account" / "login.html").write_text("{{ form.non_field_errors }}" + said)
    (tmp_path / "account" / "logout.html").write_text(said)
    engine = settings.TEMPLATES[0]
    options = {**engine["OPTIONS"]}
    options["context_processors"] = [name for name in options["context_processors"] if "portal.web" not in name]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path], "OPTIONS": options}]


def sign_in(client, name, password=PASSWORD, *, address="10.0.0.1", **more):
    return client.post("/login", {"login": name, "password": password, **more}, REMOTE_ADDR=address)


def signed_in(client):
    return client.get("/").status_code == 200


def last_event():
    return AuditEvent.objects.order_by("-seq").first()


def test_signing_in_and_out(cast, client):
    answer = sign_in(client, "employee", next="/open")
    assert (answer.status_code, answer["Location"]) == (302, "/open")
    assert signed_in(client)
    assert (last_event().verb, last_event().actor) == (Verb.SIGNED_IN, "employee")
    answer = client.post("/logout", follow=True)
    assert "You have signed out." in answer.text
    assert not signed_in(client)
    assert (last_event().verb, last_event().actor) == (Verb.SIGNED_OUT, "employee")


def test_a_get_request_does_not_sign_out(cast, client):
    sign_in(client, "employee")
    client.get("/logout")
    assert signed_in(client)


def test_the_redirect_stays_on_this_site(cast, client):
    assert sign_in(client, "employee", next="https://elsewhere.example/")["Location"] == "/"


def test_the_session_gets_a_new_key(cast, client):
    session = client.session
    session["before"] = 1
    session.save()
    before = session.session_key
    client.cookies["gatehouse_session"] = before
    sign_in(client, "employee")
    assert client.session.session_key != before
    assert not Session.objects.filter(pk=before).exists()


@pytest.mark.parametrize("name", ["employee", "EMPLOYEE"])
def test_a_wrong_password_is_refused_without_saying_which_was_wrong(cast, client, name):
    answer = sign_in(client, name, WRONG)
    assert "The user name or the password is wrong" in answer.text
    assert sign_in(client, "nobody", WRONG).text == answer.text
    assert not signed_in(client)


def test_refused_attempts_are_recorded_but_not_what_may_be_a_password(cast, client):
    sign_in(client, "employee", WRONG)
    event = last_event()
    assert (event.verb, event.target, event.outcome, event.actor) == (
        Verb.SIGN_IN_REFUSED,
        "employee",
        "refused",
        "gatehouse",
    )
    sign_in(client, "my secret typed into the wrong box", WRONG)
    assert (last_event().target, last_event().about) == ("unknown name", ["unnamed:unknown name"])
    assert not AuditEvent.objects.filter(payload__contains="my secret").exists()


def test_a_deactivated_account_is_named_only_after_the_right_password(employee, client):
    employee.is_active = False
    employee.save(update_fields=["is_active"])
    assert "is deactivated" in sign_in(client, "employee").text
    assert "inactive" in last_event().payload
    assert "deactivated" not in sign_in(client, "employee", WRONG).text
    assert not signed_in(client)


def test_sessions_end_when_the_account_is_deactivated(employee, client):
    sign_in(client, "employee")
    assert signed_in(client)
    employee.is_active = False
    employee.save(update_fields=["is_active"])
    assert not signed_in(client)


def test_sessions_end_when_the_password_changes(employee, client):
    sign_in(client, "employee")
    employee.set_password("quite another one")
    employee.save(update_fields=["password"])
    assert not signed_in(client)


def test_guessing_is_stopped_but_nobody_is_locked_out_by_name(cast, client):
    for _ in range(5):
        sign_in(client, "lead", WRONG, address="10.0.0.66")
    assert "Too many attempts" in sign_in(client, "lead", address="10.0.0.66").text
    assert "too_many_attempts" in last_event().payload
    assert not signed_in(client)
    sign_in(client, "lead", address="10.0.0.7")
    assert signed_in(client), "the colleague at the next desk signs in as ever"


def test_trying_many_names_from_one_address_is_stopped(cast, client):
    for number in range(10):
        sign_in(client, f"name{number}", WRONG, address="10.0.0.66")
    assert "Too many attempts" in sign_in(client, "lead", address="10.0.0.66").text


def test_an_ipv6_caller_is_its_network(cast, client):
    for number in range(10):
        sign_in(client, f"name{number}", WRONG, address=f"2001:db8::{number}")
    assert "Too many attempts" in sign_in(client, "lead", address="2001:db8::ffff:1").text
    assert sign_in(client, "lead", address="2001:db8:0:1::1").status_code == 302


def test_another_spelling_of_a_name_is_the_same_name(cast, client):
    for name in ("lead", "LEAD", "Lead", "ｌｅａｄ", "lEAD"):
        sign_in(client, name, WRONG)
    assert "Too many attempts" in sign_in(client, "lead").text


@pytest.mark.parametrize("how", ["no proxy is named under https", "a proxy nobody trusts says for whom it calls"])
def test_ten_mistakes_behind_an_unknown_proxy_lock_out_no_other_person(cast, client, settings, how):
    more = {}
    if "https" in how:
        settings.PUBLIC_URL = "https://gatehouse.example.com"
    else:
        more[attempts.SHARED] = True

    def attempt(name, password=PASSWORD):
        return Client().post("/login", {"login": name, "password": password}, REMOTE_ADDR="10.0.0.66", **more)

    for number in range(20):
        attempt(f"name{number}", WRONG)
    assert attempt("lead").status_code == 302
    for _ in range(attempts.OF_SHARED_ADDRESS.most):
        attempts.OF_SHARED_ADDRESS.count("10.0.0.66")
    assert "Too many attempts" in attempt("lead2").text


def test_right_passwords_do_not_use_up_the_attempts(cast):
    for _ in range(12):
        assert sign_in(Client(), "lead").status_code == 302


def test_a_right_password_gives_back_nothing_of_the_limit_it_was_not_counted_in(cast):
    for number in range(attempts.OF_ADDRESS.most):
        sign_in(Client(), f"name{number}", WRONG)
    for _ in range(3):  # says to come through a proxy
        answer = Client().post(
            "/login", {"login": "lead", "password": PASSWORD}, REMOTE_ADDR="10.0.0.1", **{attempts.SHARED: True}
        )
        assert answer.status_code == 302
    assert "Too many attempts" in sign_in(Client(), "lead2").text


def test_many_attempts_with_one_name_do_not_block_other_names_of_the_address(cast, client):
    """As by a program with an old password."""
    for _ in range(4 * attempts.OF_ADDRESS.most):
        sign_in(client, "employee", WRONG)
    assert "Too many attempts" in sign_in(client, "employee").text
    assert sign_in(client, "lead").status_code == 302


def test_a_blocked_address_creates_no_rows_for_names(cast, client):
    for number in range(attempts.OF_ADDRESS.most):
        sign_in(client, f"name{number}", WRONG)
    rows = RateCount.objects.count()
    assert "Too many attempts" in sign_in(client, "one more", WRONG).text
    assert RateCount.objects.count() == rows


def test_without_the_trail_nobody_gets_a_session(cast, broken_trail):
    client = Client(raise_request_exception=False)
    assert sign_in(client, "employee").status_code == 500
    assert not signed_in(client)
    with pytest.raises(DatabaseError):
        sign_in(Client(), "employee")


def test_only_signing_in_and_out_have_an_address(cast, client):
    assert reverse("account_login") == "/login"
    assert reverse("account_logout") == "/logout"
    for name in ("account_signup", "account_reset_password", "account_email", "account_change_password"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
