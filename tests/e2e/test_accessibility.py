"""Every page, looked at with axe: in light and in dark, and on a phone. Nothing is let pass."""

from __future__ import annotations

from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from portal.approvals.comments import comment
from portal.approvals.resubmitting import resubmit
from tests.factories import person, request_at_status
from tests.guards.addresses import PAGES
from tests.guards.world import url_of, world

# who has most to see there
READERS = {
    "queue": "lead",
    "queue_item": "lead",
    "home": "lead",
    "dag_list": "colleague",
    "dag_detail": "colleague",
    "run_detail": "colleague",
    "run_log": "colleague",
    "audit": "auditor",
    "deployment_list": "admin",
    "account_login": "",
    "account_inactive": "",
}
FILES = ("health", "audit_export", "run_log_text")  # no pages
LOOKED_AT = [name for name, page in PAGES.items() if page.get and not name.startswith(FILES)]
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
EVERYTHING = {"resultTypes": ["violations"]}
COLOURS = {**EVERYTHING, "runOnly": ["color-contrast", "link-in-text-block"]}  # all that the dark can make worse
LOOKS = (("light", DESK, EVERYTHING), ("dark", DESK, COLOURS), ("dark", PHONE, COLOURS), ("light", PHONE, EVERYTHING))
AXE = Axe()
ROOT, SCALE = 16, {13, 15, 18, 24, 32}
SIZES = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = {};
  while (texts.nextNode()) {
    const box = texts.currentNode.parentElement;
    const drawn = box.checkVisibility() && !box.closest("svg, script, template, noscript, option");
    if (drawn && texts.currentNode.data.trim())
      found[getComputedStyle(box).fontSize] ??= box.outerHTML.slice(0, 160);
  }
  return [getComputedStyle(document.documentElement).fontSize, found];
}"""


def check(page: Page, where: str) -> list[str]:
    """What is wrong with a page as it stands, in the light and in the dark, at a desk and on a phone."""
    wrong = []
    for colours, size, rules in LOOKS:
        page.emulate_media(color_scheme=colours)
        page.set_viewport_size(size)
        look = f"{where}, {colours}, {size['width']} px wide"
        wrong += [
            f"{look}: {violation['id']} ({violation['help']}) at {node['html'][:200]}"
            for violation in AXE.run(page, options=rules).response["violations"]
            for node in violation["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{look}: scrolls sideways")
    page.set_viewport_size(DESK)
    return wrong


def off_scale(page: Page, where: str) -> list[str]:
    """Text in a size that the scale does not have, or a root that is not the browser's own."""
    root, found = page.evaluate(SIZES)
    wrong = [f"{where}: the root is {root}"] if root != f"{ROOT}px" else []
    return wrong + [f"{where}: {size} at {html}" for size, html in found.items() if float(size[:-2]) not in SCALE]


def settled(page: Page) -> None:
    """Nothing is on its way any more: what loads after the page has come."""
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def walk(enter, visit, things, *, csp: bool) -> Iterator[tuple[str, Page]]:
    """Every page, opened by whoever has most to see there."""
    windows: dict[str, Page] = {}
    for name in LOOKED_AT:
        reader = READERS.get(name, "employee")
        if reader not in windows:
            windows[reader] = enter(reader, csp=csp) if reader else visit(csp=csp)
        windows[reader].goto(url_of(name, PAGES[name].of, things) + PAGES[name].query)
        settled(windows[reader])
        yield name, windows[reader]


def test_every_page(airflow, cast, enter, visit):
    wrong = []
    # axe itself writes inline styles; that the pages do not is the next test
    for name, page in walk(enter, visit, world(cast), csp=False):
        wrong += check(page, name) + off_scale(page, name)
    assert not wrong, "\n".join(wrong)


def test_every_page_keeps_its_own_content_policy(airflow, cast, enter, visit, watch):
    for name, _ in walk(enter, visit, world(cast), csp=True):
        assert not watch.wrong, f"{name}: {watch.wrong}"


def test_what_is_refused_missing_empty_or_wrong(airflow, enter):
    wrong = []
    for reader, at in {
        "stranger": ["/", "/audit", "/requests/REQ-999", "/requests", "/access", "/dags", "/requests/new?q=nothing"],
        "security": ["/queue", "/nowhere"],
        "auditor": ["/audit?since=yesterday-ish", "/audit?q=nothing-like-this"],
    }.items():
        page = enter(reader, csp=False)
        for address in at:
            page.goto(address)
            settled(page)
            wrong += check(page, f"{reader} at {address}")
    returned = request_at_status("returned", by="colleague", entitlement="demo/role/Op")
    page = enter("colleague", f"/requests/{returned.ref}", csp=False)
    page.locator("summary").filter(has_text="Write a comment").click()
    page.get_by_role("textbox", name="For how long?").fill("soon")
    page.get_by_role("button", name=f"Send {returned.ref} again").click()
    page.get_by_role("alert").wait_for()
    wrong += check(page, "a returned request with something wrong")
    resubmit(request_id=returned.pk, by=person("colleague"))
    comment(request_id=returned.pk, by=person("lead2"), text="Fine.", audience="approvers")
    page = enter("lead", f"/queue/{returned.ref}", csp=False)
    page.locator("summary").filter(has_text="Return").click()
    wrong += check(page, "a request in its second round")
    page = enter("employee", "/requests/new?entitlement=demo/role/Op", csp=False)
    page.get_by_role("button", name="Send request").click()
    page.get_by_role("alert").wait_for()
    wrong += check(page, "a form with something wrong")
    assert not wrong, "\n".join(wrong)
