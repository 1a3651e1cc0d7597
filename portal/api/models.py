"""The table of the API: answers of calls with an idempotency key."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """The answer to a POST, for a caller that repeats it. Written in the transaction of the POST."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, help_text="of the call: its address and body")
    answer = models.JSONField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True, help_text="of the answer; null: the call has only one")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"])]
        constraints = [models.UniqueConstraint("user", "key", name="api_key_once_per_person")]

    def __str__(self) -> str:
        return f"{self.key} of {self.user}"
