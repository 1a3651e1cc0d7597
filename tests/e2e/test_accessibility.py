"""Every page, looked at with axe: in light and in dark, and on a phone. Nothing is let pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

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
    "audit": "auditor",
    "deployment_list": "admin",
    "account_login": "",
    "account_inactive": "",
}
LOOKED_AT = [name for name, page in PAGES.items() if page.get and not name.startswith(("health", "audit_export"))]
# axe itself writes inline styles; that the pages do not is `test_every_page_keeps_its_own_content_policy`
WINDOWS = {
    "light": {"dark": False, "csp": False},
    "dark": {"dark": True, "csp": False},
    "phone": {"width": 390, "height": 844, "csp": False},
}
AXE = Axe()


def check(page: Page, where: str) -> list[str]:
    found = AXE.run(page)
    return [
        f"{where}: {violation['id']} ({violation['help']}) at {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def settled(page: Page) -> None:
    """Nothing is on its way any more: what loads after the page has come."""
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def walk(enter, visit, things, window: dict[str, object]) -> Iterator[tuple[str, Page]]:
    """Every page, opened by whoever has most to see there."""
    windows: dict[str, Page] = {}
    for name in LOOKED_AT:
        reader = READERS.get(name, "employee")
        if reader not in windows:
            windows[reader] = enter(reader, **window) if reader else visit(**window)
        windows[reader].goto(url_of(name, PAGES[name].of, things) + PAGES[name].query)
        settled(windows[reader])
        yield name, windows[reader]


@pytest.mark.parametrize("window", WINDOWS)
def test_every_page(airflow, cast, enter, visit, window):
    wrong = []
    for name, page in walk(enter, visit, world(cast), WINDOWS[window]):
        wrong += check(page, name)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{name}: scrolls sideways")
    assert not wrong, "\n".join(wrong)


def test_every_page_keeps_its_own_content_policy(airflow, cast, enter, visit, watch):
    for name, _ in walk(enter, visit, world(cast), {}):
        assert not watch.wrong, f"{name}: {watch.wrong}"


@pytest.mark.parametrize("window", WINDOWS)
def test_what_is_refused_missing_empty_or_wrong(airflow, enter, window):
    wrong = []
    for reader, at in {
        "stranger": ["/", "/audit", "/requests/REQ-999", "/requests", "/access", "/dags", "/requests/new?q=nothing"],
        "security": ["/queue", "/nowhere"],
        "auditor": ["/audit?since=yesterday-ish", "/audit?q=nothing-like-this"],
    }.items():
        page = enter(reader, **WINDOWS[window])
        for address in at:
            page.goto(address)
            settled(page)
            wrong += check(page, f"{reader} at {address}")
    page = enter("employee", "/requests/new?entitlement=demo/role/Op", **WINDOWS[window])
    page.get_by_role("button", name="Send request").click()
    page.get_by_role("alert").wait_for()
    wrong += check(page, "a form with something wrong")
    assert not wrong, "\n".join(wrong)
