from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in only: people come from the platform admin, the directory or the identity provider."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
