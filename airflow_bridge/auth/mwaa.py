"""Amazon Managed Workflows for Apache Airflow. Needs the package boto3."""

from __future__ import annotations

import importlib
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.errors import Unauthorised, Unreachable, Unsupported

LIFE = 11 * 3600.0  # the session lives 12 hours (AWS, "Access the Airflow API": web login tokens)


@dataclass(frozen=True)
class MwaaAuth:
    """An environment of MWAA, signed in to with the AWS identity that boto3 finds.

    That identity needs `airflow:CreateWebLoginToken` on the environment's role. A web login token, good for a minute,
    is exchanged for a session at the environment's own address.
    """

    environment: str
    region: str = ""

    @property
    def account(self) -> str:
        return f"the AWS identity for the environment {self.environment}"

    def sign_in(self, ask: Ask) -> Signed:
        token = self._web_login_token(ask.deadline)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = ask.send("POST", "/aws_mwaa/login", content=urlencode({"token": token}).encode(), headers=form)
        session = re.search(r"(?:^|[,;\s])session=([^;,\s]+)", answer.headers.get("set-cookie", ""))
        if answer.status >= 400 or session is None:
            raise Unauthorised(f"{self.account.capitalize()} got no session from it (answer {answer.status}).")
        return Signed({"Cookie": f"session={session[1]}"}, LIFE)

    def _web_login_token(self, deadline: float) -> str:
        try:
            boto3 = importlib.import_module("boto3")
            config = importlib.import_module("botocore.config")
            errors = importlib.import_module("botocore.exceptions")
        except ImportError:
            raise Unsupported("Signing in to MWAA needs the package boto3. Install it.") from None
        patience = max(0.5, (deadline - time.monotonic()) / 2)
        once = config.Config(connect_timeout=patience, read_timeout=patience, retries={"total_max_attempts": 1})
        try:
            mwaa = boto3.client("mwaa", region_name=self.region or None, config=once)
            return str(mwaa.create_web_login_token(Name=self.environment)["WebToken"])
        except errors.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "refused")
            raise Unauthorised(f"AWS gives no web login token to {self.account}: {code}.") from None
        except (errors.HTTPClientError, errors.ConnectionError) as error:
            raise Unreachable(f"AWS could not be asked for a web login token ({type(error).__name__}).") from None
        except errors.BotoCoreError as error:  # no credentials, no region, ...
            raise Unauthorised(f"boto3 cannot speak for {self.account}: {type(error).__name__}.") from None
