"""The form of the demo DAG every_param in a browser: a new value for each field, and three ways to enter it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

AT = "/dags/demo/every_param"
TOLD = json.loads((Path(__file__).parent.parent / "contract" / "told.json").read_text())
PARAMS: dict[str, Any] = TOLD["every_param"]["params"]
DEFAULTS = {name: param["value"] for name, param in PARAMS.items() if name != "password"}


@dataclass(frozen=True)
class Field:
    """kind: of the control. typed: the text, the label of an option, or the labels of the boxes to check. sent: the
    value of the parameter."""

    name: str
    kind: str
    typed: Any
    sent: Any

    @property
    def label(self) -> str:
        return str(PARAMS[self.name]["schema"].get("title", self.name))


def text(name: str, typed: str, sent: Any = None) -> Field:
    return Field(name, "text", typed, typed if sent is None else sent)


FIELDS = [  # in the order of the page
    text("plain", "another “value” <b>"),
    text("plain_number", "4.5", 4.5),
    Field("plain_switch", "switch", True, True),
    text("plain_list", "three\nfour, five", ["three", "four, five"]),
    text("plain_object", '{"key": [1, null]}', {"key": [1, None]}),
    text("text", "héllo"),
    text("optional_text", "here"),
    text("required_text", "changed now"),
    text("suggestions", "delta"),
    text("email", "somebody@example.com"),
    text("address", "https://example.com/out?a=b&c"),
    Field("password", "secret", "mellon", "mellon"),
    text("multiline", "one\n\nthree"),
    text("optional_multiline", "a line"),
    text("whole_number", "10", 10),
    text("number", "0.25", 0.25),
    text("multiple", "21", 21),
    text("optional_number", "-3", -3),
    Field("yes_or_no", "switch", False, False),
    Field("optional_yes_or_no", "radio", "off", False),
    Field("choice", "radio", "green", "green"),
    Field("labelled_choice", "radio", "Three", 3),
    Field("long_choice", "list", "August", "August"),
    Field("optional_choice", "radio", "south", "south"),
    Field("multi_choice", "boxes", ["east", "west"], ["east", "west"]),
    Field("labelled_multi_choice", "boxes", ["One"], ["1"]),
    Field("day", "date", "2028-02-29", "2028-02-29"),
    Field("optional_day", "date", "2027-12-31", "2027-12-31"),
    Field("moment", "moment", "2026-07-01T17:05:30", "2026-07-01T17:05:30+00:00"),
    Field("time_of_day", "time", "06:45:10", "06:45:10"),
    text("duration", "P1DT2H"),
    text("lines", " x\ny", [" x", "y"]),
    text("addresses", "a@example.com\nb@example.com", ["a@example.com", "b@example.com"]),
    text("optional_lines", "only", ["only"]),
    text("numbers", "[1.5, -2]", [1.5, -2]),
    text("objects", '[{"name": "b"}]', [{"name": "b"}]),
    text("object", "{}", {}),
    text("number_or_text", "all"),
    text("switch_or_text", "false", False),
    text("text_or_object", '{"name": "weekly"}', {"name": "weekly"}),
    text("anything", '"17"', "17"),
    text("in_a_section", "there"),
]
SENT = {field.name: field.sent for field in FIELDS} | {"fixed": "cannot be changed"}


def box(page: Page, name: str) -> Locator:
    """The field of a parameter; of radio buttons and check boxes, all of them."""
    return page.locator(f'[name="param:{name}"], [name="secret:text:/{name}"]')


def unfold(page: Page) -> None:
    closed = page.locator("details.param-section:not([open]) > summary")
    while closed.count():
        closed.first.click()


def enter(page: Page, field: Field) -> None:
    """With mouse and keyboard, found as people find it: by its label."""
    named = re.compile(rf"^\s*{re.escape(field.label)}( \(optional\))?\s*$")
    if field.kind in ("radio", "boxes"):
        group = page.get_by_role("group", name=named)
        if field.kind == "radio":
            group.get_by_role("radio", name=field.typed, exact=True).check()
        for option in group.get_by_role("checkbox").all():
            option.set_checked(option.evaluate("option => option.labels[0].innerText.trim()") in field.typed)
    elif field.kind == "switch":
        page.get_by_role("checkbox", name=named).set_checked(field.typed)
    elif field.kind == "list":
        page.get_by_role("combobox", name=named).select_option(label=field.typed)
    else:
        page.get_by_label(named).fill(field.typed)


def go_to(page: Page, field: Field) -> None:
    """Press Tab until the field has the focus. A closed section on the way is opened with Enter."""
    for _ in range(12):  # a field of a date has one stop for each part of it
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('details.param-section:not([open]) > summary')"):
            page.keyboard.press("Enter")
        if page.evaluate("document.activeElement.name") in (f"param:{field.name}", f"secret:text:/{field.name}"):
            return
    raise AssertionError(f"Tab does not reach {field.name}")


def type_in(page: Page, field: Field) -> None:
    """With the keyboard alone, in the field that has the focus."""
    keys = page.keyboard
    if field.kind == "switch":
        keys.press("Space")
    elif field.kind == "radio":
        _arrow_to(page, field)
    elif field.kind == "boxes":
        _check_boxes(page, field)
    elif field.kind == "list":
        keys.type(field.typed)
    elif field.kind in ("date", "moment", "time"):
        _type_moment(page, field)
    else:
        keys.press("ControlOrMeta+a")
        keys.insert_text(field.typed)
    if field.kind not in ("boxes", "radio", "switch"):
        expect(box(page, field.name)).to_have_value(json.dumps(field.sent) if field.kind == "list" else field.typed)


def _arrow_to(page: Page, field: Field) -> None:
    for _ in range(5):
        if (
            page.evaluate("document.activeElement.checked && document.activeElement.labels[0].innerText.trim()")
            == field.typed
        ):
            return
        page.keyboard.press("ArrowRight")
    raise AssertionError(f"the arrows do not reach {field.typed}")


def _check_boxes(page: Page, field: Field) -> None:
    boxes = box(page, field.name)
    for number in range(boxes.count()):
        expect(boxes.nth(number)).to_be_focused()
        label = page.evaluate("document.activeElement.labels[0].innerText.trim()")
        if boxes.nth(number).is_checked() is not (label in field.typed):
            page.keyboard.press("Space")
        if number + 1 < boxes.count():
            page.keyboard.press("Tab")


def _type_moment(page: Page, field: Field) -> None:
    """The parts as an American browser has them: month, day, year, hour, minute, second, half of the day."""
    day, _, time = field.typed.rpartition("T") if field.kind != "date" else (field.typed, "", "")
    if day:
        year, month, of_month = day.split("-")
        page.keyboard.type(f"{month}{of_month}{year}")
    if time:
        if day:
            page.keyboard.press("ArrowRight")
        hour, minute, second = time.split(":")
        page.keyboard.type(f"{int(hour) % 12 or 12:02}{minute}{second}{'PM' if int(hour) > 11 else 'AM'}")
