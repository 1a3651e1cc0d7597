"""The whole form of a run: every kind of parameter, entered in three ways; its errors; its JSON; its links."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from portal.dags.models import Run
from tests.e2e import every_param as every
from tests.e2e.every_param import AT, DEFAULTS, FIELDS, SENT, box, unfold
from tests.e2e.test_accessibility import check
from tests.factories import follow_runs, work_off

RUN = re.compile(r"/runs/RUN-\d+$")
ON_TOP = """element => {
  const { x, y, height } = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(x + 1, y + height / 2));
}"""
WRONG = {  # what is typed, and a part of the error
    "plain_number": ("many", "is not a number"),
    "plain_object": ('{"key": }', "line 1, column 9"),
    "required_text": ("NO!", "does not match"),
    "email": ("nobody", "is not an e-mail address"),
    "address": ("no address", "is not a web address"),
    "whole_number": ("11", "at most 10"),
    "number": ("-0.5", "at least 0"),
    "multiple": ("15", "multiple of 7"),
    "optional_number": ("1.5", "a whole number or null"),
    "day": ("", "is empty"),
    "duration": ("15 minutes", "is not a duration"),
    "addresses": ("a@example.com\nnobody", "In item 2"),
    "numbers": ('[1, "two"]', "In item 2"),
    "objects": ('[{"size": 1}]', "needs “name”"),
    "object": ("[1]", "enter an object or null"),
}


def start(page: Page) -> None:
    page.get_by_role("button", name="Run every_param").click()
    expect(page).to_have_url(RUN)


def sent(airflow) -> dict:
    """The parameters of the newest run, as Airflow has them."""
    work_off()
    run = Run.objects.latest("created_at")
    return dict(airflow.state.run("every_param", run.dag_run_id).conf)


def test_filled_in_and_followed_to_the_end(airflow, enter):
    page = enter("colleague", AT)
    unfold(page)
    for field in FIELDS:
        every.enter(page, field)
    start(page)
    assert sent(airflow) == SENT
    main = page.get_by_role("main")
    for state, words in (("running", "running"), ("success", "succeeded")):
        airflow.set_run_states(state)
        follow_runs()
        expect(main).to_contain_text(words)  # without a reload
    expect(page).to_have_title(re.compile("every_param succeeded"))
    expect(main).not_to_contain_text("mellon")


def test_filled_in_without_javascript(airflow, enter):
    page = enter("colleague", AT, javascript=False)
    unfold(page)
    for field in FIELDS:
        every.enter(page, field)
    start(page)
    assert sent(airflow) == SENT


def test_filled_in_with_the_keyboard_alone(airflow, enter):
    page = enter("colleague", AT)
    page.get_by_role("link", name="Open in Airflow").focus()
    for field in FIELDS:
        every.go_to(page, field)
        every.type_in(page, field)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() == "Run every_param":
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(RUN)
    assert sent(airflow) == SENT


def test_every_error_is_at_its_field_and_nothing_typed_is_lost(airflow, enter):
    page = enter("colleague", AT, csp=False)  # axe writes inline styles
    unfold(page)
    for name, (typed, _) in WRONG.items():
        box(page, name).fill(typed)
    box(page, "text").fill("kept")
    page.get_by_role("textbox", name="Note").fill("kept too")
    page.get_by_role("button", name="Run every_param").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(len(WRONG))
    for name, (typed, words) in WRONG.items():
        expect(box(page, name)).to_have_value(typed)
        expect(box(page, name)).to_have_attribute("aria-invalid", "true")
        expect(box(page, name)).to_have_accessible_description(re.compile(re.escape(words)))
        expect(page.locator(".field").filter(has=box(page, name)).locator(".error")).to_contain_text(words)
    expect(page.locator("[aria-invalid=true]")).to_have_count(len(WRONG))
    summary.get_by_role("link", name=re.compile("^Text with a pattern")).click()
    expect(box(page, "required_text")).to_be_focused()
    label = page.locator(".field").filter(has=box(page, "required_text")).locator("label")
    assert label.evaluate(ON_TOP), "the header covers the label of the field"
    expect(box(page, "text")).to_have_value("kept")
    expect(page.get_by_role("textbox", name="Note")).to_have_value("kept too")
    unfold(page)  # sections without an error
    assert not check(page, "every_param with errors")
    assert not Run.objects.exists()
    for name in WRONG:
        value = DEFAULTS[name]
        box(page, name).fill(
            "\n".join(value) if name == "addresses" else value if isinstance(value, str) else json.dumps(value)
        )
    box(page, "optional_number").fill("")
    start(page)
    assert sent(airflow) == {**DEFAULTS, "text": "kept"}


def test_as_json_and_back(airflow, enter):
    page = enter("colleague", AT)
    note = page.get_by_role("textbox", name="Note")
    unfold(page)
    box(page, "text").fill("from the form")
    page.get_by_role("radio", name="green").check()
    note.fill("kept")
    page.get_by_role("button", name="Edit as JSON").click()
    whole = page.get_by_role("textbox", name="Parameters")
    expect(whole).to_be_focused()
    written = json.loads(whole.input_value())
    assert written == {**DEFAULTS, "text": "from the form", "choice": "green"}
    broken = whole.input_value().replace('"from the form",', '"from the form"')
    whole.fill(broken)
    for button in ("Edit as form", "Run every_param"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Not valid JSON at line \d+, column \d+"))
        expect(page.get_by_role("alert")).to_contain_text('"text": "from the form"”')
        expect(whole).to_have_value(broken)
        expect(note).to_have_value("kept")
    whole.fill(json.dumps({**written, "anything": "17", "numbers": [], "optional_yes_or_no": True}))
    page.get_by_role("button", name="Edit as form").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(box(page, "plain")).to_be_focused()
    for name, value in (("text", "from the form"), ("anything", '"17"'), ("numbers", "[]")):
        expect(box(page, name)).to_have_value(value)
    expect(page.get_by_role("radio", name="green")).to_be_checked()
    expect(page.get_by_role("radio", name="on", exact=True)).to_be_checked()
    expect(note).to_have_value("kept")
    start(page)
    assert sent(airflow) == {**written, "anything": "17", "numbers": [], "optional_yes_or_no": True}


def test_a_run_with_the_same_values_is_said_while_they_are_the_same(airflow, enter):
    page = enter("colleague", AT)
    start(page)
    page.goto(AT)
    before = page.get_by_role("region", name="Before you run")
    expect(before).to_contain_text("Same values")
    expect(before.get_by_role("link", name=Run.objects.get().ref)).to_be_visible()
    for typed, times in (("other", 0), ("hello", 1)):
        box(page, "text").fill(typed)
        box(page, "text").blur()
        expect(before.get_by_text("Same values")).to_have_count(times)


def test_a_link_fills_in_the_form(airflow, enter):
    page = enter("colleague", "/dags/demo/sales_report?conf.region=EU")
    expect(page.get_by_role("radio", name="EU")).to_be_checked()
    page.goto(AT)
    unfold(page)
    for field in FIELDS:
        every.enter(page, field)
    link = page.get_by_role("link", name="Link to this form with these values")
    expect(link).to_have_attribute("href", re.compile("there"))  # the last value that was entered
    page.goto(link.get_attribute("href") or "")
    start(page)
    # a link never holds a secret
    assert sent(airflow) == {name: value for name, value in SENT.items() if name != "password"}
