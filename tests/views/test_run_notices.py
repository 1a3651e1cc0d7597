"""Notices that a run has ended: asked for on its page, shown on every page until they are marked as read."""

from __future__ import annotations

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, Missing
from portal.dags.models import Run, RunNotice
from portal.dags.runs import run_notices
from portal.dags.runs.states import RUN
from tests.factories import follow_runs, person, run_in_airflow, run_request, work_off
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")
HTMX = {"HX-Request": "true"}


def end(run: Run, status: str = "success") -> None:
    run.refresh_from_db()
    RUN.move(run, to=status, ended_at=timezone.now())


def ask(client, run: Run, **more):
    return client.post(f"/runs/{run.ref}/notice", **more)


@pytest.mark.parametrize("status", ["success", "failed"])
def test_the_notice_is_shown_on_every_page_from_the_end_until_it_is_read(client_as, status):
    run, client = run_in_airflow("running"), client_as("lead")
    assert "Tell me when it is done" in Page(client.get(f"/runs/{run.ref}")).text
    assert ask(client, run).url == f"/runs/{run.ref}"
    assert "You get a notice when it is done" in Page(client.get(f"/runs/{run.ref}")).text
    assert "Got it" not in Page(client.get("/")).text
    end(run, status)
    word = "succeeded" if status == "success" else "failed"
    for at in ("/", "/dags", f"/runs/{run.ref}"):
        page = Page(client.get(at))
        assert f"{run.ref} of {run.dag.dag_id} on demo {word}" in page.text, at
    assert f"/runs/{run.ref}" in Page(client.get("/")).links
    assert "Got it" not in Page(client_as("colleague").get("/")).text
    before = AuditEvent.objects.count()
    assert client.post(f"/runs/{run.ref}/notice/read", {"back": "/dags?q=x"}).url == "/dags?q=x"
    assert "Got it" not in Page(client.get("/")).text
    assert client.post(f"/runs/{run.ref}/notice/read").status_code == 302, "a second press"
    assert AuditEvent.objects.count() == before


def test_pages_do_not_change_the_notice(client_as):
    run, client = run_in_airflow("running"), client_as("lead")
    ask(client, run)
    end(run)
    for at in ("/", f"/runs/{run.ref}", f"/runs/{run.ref}/notice", f"/runs/{run.ref}/notice/read"):
        client.get(at)
    assert RunNotice.objects.get().read_at is None


def test_with_htmx_only_the_button_and_the_notices_are_answered(client_as):
    run, client = run_in_airflow("running"), client_as("lead")
    told = ask(client, run, headers=HTMX).content.decode()
    assert "You get a notice" in told and "<html" not in told
    end(run)
    read = client.post(f"/runs/{run.ref}/notice/read", headers=HTMX).content.decode()
    assert 'id="run-notices"' in read and "data-focus" in read and run.ref not in read


def test_asked_twice_it_is_one_notice():
    run, by = run_in_airflow("running"), person("lead")
    run_notices.ask(by=by, run_id=run.pk)
    run_notices.ask(by=by, run_id=run.pk)
    assert RunNotice.objects.count() == 1


def test_a_run_that_has_ended_is_refused_in_words(client_as):
    run, client = run_in_airflow("failed"), client_as("lead")
    with pytest.raises(Conflict, match="already ended"):
        run_notices.ask(by=person("lead"), run_id=run.pk)
    assert "has already ended (failed)" in Page(ask(client, run, follow=True)).text
    assert ask(client, run, headers=HTMX).content.decode().strip() == ""
    assert not RunNotice.objects.exists()


def test_a_run_that_one_may_not_see_is_not_there(client_as):
    run = run_in_airflow("running")
    assert ask(client_as("stranger"), run).status_code == 404
    assert client_as("stranger").post(f"/runs/{run.ref}/notice/read").status_code == 404
    with pytest.raises(Missing):
        run_notices.ask(by=person("stranger"), run_id=run.pk)
    with pytest.raises(Missing):
        run_notices.mark_read(by=person("stranger"), run_id=run.pk)
    assert not RunNotice.objects.exists()


def test_who_may_no_longer_see_the_run_is_not_told(client_as):
    run, lead = run_in_airflow("running"), person("lead")
    run_notices.ask(by=lead, run_id=run.pk)
    run_notices.ask(by=run.requested_by, run_id=run.pk)
    end(run)
    assert run_notices.unread(lead) == [run]
    lead.groups.clear()
    assert run_notices.unread(person("lead")) == []
    assert run_notices.unread(run.requested_by) == [run], "one's own run"
    assert client_as("lead").post(f"/runs/{run.ref}/notice/read").status_code == 302


def test_a_retried_run_can_be_asked_for_again(client_as):
    run, client = run_in_airflow("running"), client_as("lead")
    ask(client, run)
    end(run, "failed")
    client.post(f"/runs/{run.ref}/notice/read")
    run.refresh_from_db()
    RUN.move(run, to="running", ended_at=None)
    assert "Tell me when it is done" in Page(client.get(f"/runs/{run.ref}")).text
    ask(client, run)
    end(run)
    assert run_notices.unread(person("lead")) == [run]


def test_a_notice_is_taken_back_before_the_end(client_as):
    run, client = run_in_airflow("running"), client_as("lead")
    ask(client, run)
    client.post(f"/runs/{run.ref}/notice/read")
    end(run)
    assert run_notices.unread(person("lead")) == []


def test_the_requester_of_an_approved_run_is_told_without_asking(airflow, client_as):
    request = run_request("approved")
    run = Run.objects.get(request=request)
    work_off()
    airflow.set_run_states("success")
    follow_runs()
    assert run_notices.unread(request.requester) == [run]
    assert "succeeded" in Page(client_as("employee").get("/")).text
    assert run_notices.unread(person("lead")) == []


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", ""])
def test_another_site_is_no_page_to_return_to(client_as, back):
    run, client = run_in_airflow("running"), client_as("lead")
    ask(client, run)
    assert client.post(f"/runs/{run.ref}/notice/read", {"back": back}).url == f"/runs/{run.ref}"


def test_without_a_notice_the_frame_asks_once(django_assert_num_queries):
    by = person("lead")
    with django_assert_num_queries(1):
        assert run_notices.unread(by) == []


def test_the_title_is_the_same_on_load_and_after_a_swap(client_as):
    run, client = run_in_airflow("failed"), client_as("colleague")
    title = f"<title>{run.dag.dag_id} failed, {run.ref} – Gatehouse</title>"
    assert title in client.get(f"/runs/{run.ref}").content.decode()
    assert title in client.get(f"/runs/{run.ref}", headers=HTMX).content.decode()
