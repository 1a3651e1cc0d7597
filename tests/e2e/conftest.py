"""People in front of a real browser, and the portal served to them with a fake Airflow behind it.

    page = enter("employee")        # signed in, on the home page
    page = enter("lead", javascript=False, dark=True, width=390)
    work_off()                      # what the workers would do now; pages see it when they ask again

Whatever a journey does, it fails at its end if any of its pages broke the content policy, asked another origin,
raised an error in a script, or was answered with a 500.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from accounts.models import User
from tests.conftest import missing

# Playwright's synchronous interface runs an event loop in this thread; Django would refuse its database here
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

QUIET = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
]
TIMEOUT = 10_000
expect.set_options(timeout=TIMEOUT)
SEEN = Path(__file__).parent.parent.parent / ".artifacts" / "e2e"
Enter = Callable[..., Page]
FAILED = pytest.StashKey[bool]()


@dataclass
class Watch:
    """What went wrong in the browser, beside what a test looks at."""

    origin: str
    wrong: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._asked(request.url))
        context.on("response", lambda response: self._answered(response.status, response.url))
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"script error: {error.error}"))

    def _asked(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:", "blob:", "about:")):
            self.wrong.append(f"asked another origin: {url}")

    def _answered(self, status: int, url: str) -> None:
        if status >= 500 or (status >= 400 and urlsplit(url).path.startswith("/static/")):
            self.wrong.append(f"{status} for {url}")

    def _said(self, message: ConsoleMessage) -> None:
        # the browser notes every answer of 400 and above as an error; those are the portal's own refusals
        refusal = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        # htmx notes as an error that a page was left while it asked for something
        left = message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
        if message.type in ("error", "warning") and not (refusal or left):
            self.wrong.append(f"console {message.type}: {message.text}")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("chromium")
    launched = playwright.chromium.launch(executable_path=program, args=QUIET)
    yield launched
    launched.close()


@pytest.fixture
def origin(live_server: object) -> str:
    """Where the portal is served."""
    return live_server.url  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def watch(origin: str) -> Iterator[Watch]:
    watching = Watch(origin)
    yield watching
    assert not watching.wrong


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Browser, origin: str, watch: Watch) -> Iterator[Callable[..., Page]]:
    """A new browser window in which nobody has signed in, on a blank page. A failed test leaves pictures of them."""
    contexts: list[BrowserContext] = []

    def open_window(
        *, javascript: bool = True, dark: bool = False, width: int = 1280, height: int = 800, csp: bool = True
    ) -> Page:
        context = browser.new_context(
            base_url=origin,
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            accept_downloads=True,
            bypass_csp=not csp,
        )
        context.set_default_timeout(TIMEOUT)
        watch.over(context)
        contexts.append(context)
        return context.new_page()

    yield open_window
    failed = request.node.stash.get(FAILED, False)
    for number, context in enumerate(contexts):
        for page in context.pages if failed else []:
            page.screenshot(path=SEEN / f"{request.node.name}-{number}.png", full_page=True)
        context.close()


@pytest.fixture
def enter(visit: Callable[..., Page], cast: dict[str, User], origin: str) -> Enter:
    """A new window in which `name` has signed in, on the page `at`. (Signing in by hand is a journey of its own.)"""

    def go_in(name: str, at: str = "/", **window: object) -> Page:
        client = Client()
        client.force_login(cast[name])
        page = visit(**window)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": origin}])
        page.goto(at)
        return page

    return go_in


@pytest.fixture(autouse=True)
def _served(transactional_db: None) -> None:
    """What a test writes, the server sees."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
