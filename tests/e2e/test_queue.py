"""Deciding: by keyboard alone, by several people at once, on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from portal.access.models import AccessRequest
from portal.approvals import actions
from tests.factories import person, request_at_status

WANTED = ("demo/role/User", "demo/dag/sales_report/view", "demo/dag/sales_report/operate")


def three_requests() -> list[AccessRequest]:
    return [request_at_status(entitlement=key) for key in WANTED]


def test_by_keyboard_alone(catalogue, enter):
    first, second, third = three_requests()
    lead = enter("lead", "/queue")
    row = {request.pk: lead.locator(f"#row-{request.ref}") for request in (first, second, third)}
    pane = lead.locator("#pane")
    for _ in range(40):  # as far as it takes from the top of the page; never with a pointer
        if row[first.pk].evaluate("e => e === document.activeElement"):
            break
        lead.keyboard.press("Tab")
    expect(row[first.pk]).to_be_focused()

    lead.keyboard.press("j")
    expect(row[second.pk]).to_be_focused()
    expect(pane).to_have_attribute("data-ref", second.ref)
    lead.keyboard.press("k")
    expect(row[first.pk]).to_be_focused()
    expect(pane).to_have_attribute("data-ref", first.ref)

    lead.keyboard.press("a")
    expect(lead.get_by_text(f"You approved {first.ref}")).to_be_visible()
    expect(row[first.pk]).to_have_count(0)
    expect(row[second.pk]).to_be_focused()
    expect(pane).to_have_attribute("data-ref", second.ref)

    lead.keyboard.press("d")
    reason = lead.get_by_role("textbox", name="Why you deny it")
    expect(reason).to_be_focused()
    lead.keyboard.type("ask for view first")  # its letters are no shortcuts
    lead.keyboard.press("Tab")
    lead.keyboard.press("Enter")
    expect(lead.get_by_text(f"You denied {second.ref}")).to_be_visible()
    expect(row[third.pk]).to_be_focused()

    lead.keyboard.press("a")
    expect(lead.get_by_role("heading", name="No requests to decide")).to_be_visible()
    for request, status in ((first, "approved"), (second, "denied"), (third, "approved")):
        request.refresh_from_db()
        assert request.status == status


def test_keys_do_nothing_once_they_are_switched_off(catalogue, enter, lead):
    request = request_at_status()
    lead.shortcuts = False
    lead.save(update_fields=["shortcuts"])
    page = enter("lead", "/queue")
    row = page.locator(f"#row-{request.ref}")
    row.focus()
    page.keyboard.press("a")
    page.keyboard.press("d")
    page.keyboard.press("j")
    expect(row).to_be_focused()
    expect(page.get_by_role("textbox", name="Why you deny it")).not_to_be_visible()
    request.refresh_from_db()
    assert request.status == "pending"


def test_a_key_held_down_decides_once(catalogue, enter):
    three_requests()
    page = enter("lead", "/queue")
    page.locator(".pick").first.focus()
    for _ in range(12):  # pressed again before it is let go: what a held key sends
        page.keyboard.down("a")
    page.keyboard.up("a")
    expect(page.get_by_text(re.compile("You approved"))).to_be_visible()
    assert AccessRequest.objects.filter(status="approved").count() == 1


def test_the_second_of_two_reads_who_was_first(catalogue, enter):
    request = request_at_status()
    late = enter("lead2", f"/queue/{request.ref}")
    expect(late.get_by_role("button", name="Approve for 8 hours")).to_be_visible()
    actions.deny(request_id=request.pk, by=person("lead"), comment="not now")
    late.get_by_role("button", name="Approve for 8 hours").click()
    notice = late.get_by_role("alert")
    expect(notice).to_contain_text(f"lead denied {request.ref}")
    expect(notice).to_contain_text("Nothing was changed")
    expect(notice).to_be_focused()
    expect(late.get_by_role("button", name="Approve for 8 hours")).to_have_count(0)


def test_what_was_withdrawn_meanwhile_is_not_decided(catalogue, enter):
    request = request_at_status()
    late = enter("lead", f"/queue/{request.ref}")
    actions.withdraw(request_id=request.pk, by=person("employee"))
    late.get_by_role("button", name="Approve for 8 hours").click()
    expect(late.get_by_role("alert")).to_contain_text(f"employee withdrew {request.ref}")


def test_ones_own_request_is_not_among_them(catalogue, enter):
    own = request_at_status(by="lead")
    lead, lead2 = enter("lead", "/queue"), enter("lead2", "/queue")
    expect(lead.get_by_role("heading", name="No requests to decide")).to_be_visible()
    expect(lead2.locator(f"#row-{own.ref}")).to_be_visible()
    lead.goto(f"/queue/{own.ref}")
    expect(lead.get_by_role("main")).to_contain_text("This is your own request")
    expect(lead.get_by_role("button", name=re.compile("Approve"))).to_have_count(0)


def test_on_a_phone_the_list_then_the_decision(catalogue, enter):
    first, second, _ = three_requests()
    lead = enter("lead", "/queue", width=390, height=800)
    row = lead.locator(f"#row-{first.ref}")
    expect(row).to_be_visible()
    row.click()
    approve = lead.get_by_role("button", name="Approve for 8 hours")
    expect(approve).to_be_in_viewport()
    expect(row).not_to_be_visible()
    approve.click()
    expect(lead.locator("#pane")).to_have_attribute("data-ref", second.ref)
    expect(lead.locator("#pane-title")).to_be_focused()


def test_a_box_that_was_made_larger_breaks_no_content_policy(catalogue, enter, watch):
    """The browser writes the size into a style attribute, which a swap must not write again."""
    three_requests()
    lead = enter("lead", "/queue")
    lead.locator("summary", has_text="Deny").click()
    reason = lead.get_by_role("textbox", name="Why you deny it")
    box = reason.bounding_box()
    corner = (box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    lead.mouse.move(*corner)
    lead.mouse.down()
    lead.mouse.move(corner[0], corner[1] + 60)
    lead.mouse.up()
    assert reason.get_attribute("style")
    opened = lead.locator("#pane").get_attribute("data-ref")
    lead.locator(".pick").nth(1).click()
    expect(lead.locator("#pane")).not_to_have_attribute("data-ref", opened)
    assert not watch.wrong


def test_esc_closes_the_reason_and_ctrl_enter_sends_it(catalogue, enter):
    first, second, _ = three_requests()
    lead = enter("lead", "/queue")
    row, reason = lead.locator(f"#row-{first.ref}"), lead.get_by_role("textbox", name="Why you deny it")
    row.focus()
    lead.keyboard.press("d")
    expect(reason).to_be_focused()
    lead.keyboard.press("Escape")
    expect(reason).not_to_be_visible()
    expect(row).to_be_focused()
    lead.keyboard.press("d")
    lead.keyboard.type("ask for view first")
    lead.keyboard.press("Control+Enter")
    expect(lead.get_by_text(f"You denied {first.ref}")).to_be_visible()
    expect(lead.locator(f"#row-{second.ref}")).to_be_focused()


def test_of_high_risk_a_asks_once_more(catalogue, enter):
    risky = request_at_status(entitlement="demo/role/Op")
    lead = enter("lead", "/queue")
    row, question = lead.locator(f"#row-{risky.ref}"), lead.get_by_role("dialog")
    row.focus()
    lead.keyboard.press("a")
    expect(question).to_contain_text(f"Approve {risky.ref}?")
    lead.keyboard.press("Escape")
    expect(question).not_to_be_visible()
    expect(row).to_be_focused()
    assert not risky.decisions.exists()
    lead.keyboard.press("a")
    lead.keyboard.press("Enter")
    expect(lead.get_by_text(f"Your approval of {risky.ref} is recorded")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_long_reason_takes_the_room_there_is_and_unfolds(catalogue, enter, javascript):
    long = "\n".join(f"{number}. what will be done, and why it cannot wait" for number in range(1, 40))
    made = request_at_status(reason=long)
    lead = enter("lead", f"/queue/{made.ref}", javascript=javascript)
    reason, fits = lead.locator("#reason"), "e => e.scrollHeight <= e.clientHeight + 1"
    assert reason.bounding_box()["height"] > 150
    assert not reason.evaluate(fits)
    lead.get_by_text("Show all").click()
    assert reason.evaluate(fits)
    lead.set_viewport_size({"width": 390, "height": 844})
    lead.reload()
    assert reason.evaluate(fits)


def test_a_reason_that_fits_offers_nothing_more(catalogue, enter):
    made = request_at_status(reason="\n".join(f"{number}. why" for number in range(1, 10)))
    lead = enter("lead", f"/queue/{made.ref}")
    assert lead.locator("#reason").evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    expect(lead.get_by_text("Show all")).not_to_be_visible()
