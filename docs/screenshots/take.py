"""Take the README's pictures from a running demo, after `make demo-reset` and `make demo`:

    make install-dev        # once: brings Playwright; Chromium comes from the system (apt install chromium)
    .venv/bin/python docs/screenshots/take.py

Makes three requests as employee and colleague, takes queue.png as lead, approves one, and takes request.png of it. Then
takes run_form.png as colleague, runs the DAG for the region EU, which fails, and takes failed_run.png.
"""

import json
import shutil
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
DEMO = json.loads((HERE.parent.parent / ".demo" / "demo.json").read_text())
PEOPLE = {person["username"]: person for person in DEMO["people"]}
ASKED = [
    ("colleague", "demo/dag/sales_report/operate", "P7D", "Quarterly figures for APAC: I rerun them until they match."),
    ("employee", "demo/role/Op", "PT4H", "The warehouse connection needs its new password."),
    ("employee", "demo/role/User", "PT8H", "Month-end close: rerun the failed exports, then compare with finance."),
]
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def call(who: str, path: str, body: dict[str, object]) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {PEOPLE[who]['token']}"}
    answer = httpx.post(f"{DEMO['url']}/api/v1{path}", headers=headers, json=body, timeout=20)
    answer.raise_for_status()
    return answer.json()


def enter(page: Page, who: str) -> None:
    page.goto(f"{DEMO['url']}/login")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(PEOPLE[who]["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def main() -> None:
    made = []
    for who, entitlement, duration, reason in ASKED:
        ticket = "OPS-1742" if entitlement.endswith("/Op") else None
        body = {"entitlement": entitlement, "duration": duration, "reason": reason, "ticket": ticket}
        made.append(call(who, "/requests", body)["id"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        enter(page, "lead")
        page.goto(f"{DEMO['url']}/queue/{made[1]}")
        page.screenshot(path=HERE / "queue.png")
        call("lead", f"/requests/{made[2]}/approve", {"comment": "Fine for the close."})
        page.goto(f"{DEMO['url']}/requests/{made[2]}")
        expect(page.get_by_text("Verified in Airflow")).to_be_visible()
        page.screenshot(path=HERE / "request.png")
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        enter(page, "colleague")
        page.goto(f"{DEMO['url']}/dags/demo/sales_report?conf.region=EU")
        page.screenshot(path=HERE / "run_form.png")
        page.get_by_role("button", name="Run sales_report").click()
        expect(page.get_by_text("Retry failed tasks").first).to_be_visible(timeout=60_000)
        page.screenshot(path=HERE / "failed_run.png")
        browser.close()


if __name__ == "__main__":
    main()
