"""The JSON Schema of gatehouse.toml for editors; docs/gatehouse.schema.json is its output (`manage.py reference`)."""

from __future__ import annotations

import json

from portal.catalogue.document import Document


def text() -> str:
    """The schema as a text. It describes the structure. `catalogue plan` also checks references."""
    schema = Document.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gatehouse.toml"}
    return json.dumps({**schema, **head}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
