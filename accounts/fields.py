"""A column whose value is computed from another column."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.db import models


class DerivedField(models.CharField):
    """Holds `by(<column of>)`. Computed whenever the row is saved, also by bulk_create; never set by hand.

    of: a column of this row or of a related row (`group.name`). An UPDATE of that column must name this one too.
    """

    def __init__(self, *args: Any, of: str, by: Callable[[str], str], **options: Any) -> None:
        self.of, self.by = of, by
        super().__init__(*args, **{**options, "editable": False})

    def deconstruct(self) -> tuple[str, str, Any, dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        del options["editable"]
        return name, path, args, {**options, "of": self.of, "by": self.by}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = self.by(attrgetter(self.of)(model_instance))
        setattr(model_instance, self.attname, value)
        return value
