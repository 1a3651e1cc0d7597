"""Amazon Managed Workflows for Apache Airflow. Needs the package boto3."""

from __future__ import annotations

import importlib
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from airflow_bridge.answers import Answer
from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.session import lifetime
from airflow_bridge.errors import Unauthorised, Unreachable, Unsupported

LIFE = 11 * 3600.0  # a session of Airflow 2 lives 12 hours (AWS, "Access the Airflow API": web login tokens)
BUSY = ("InternalServer", "InternalFailure", "ServiceUnavailable", "Throttl", "RequestLimit", "TooManyRequests")


@dataclass(frozen=True)
class MwaaAuth:
    """An environment of MWAA, signed in to with the AWS identity that boto3 finds.

    That identity needs `airflow:CreateWebLoginToken` on the environment's role. A web login token, good for a minute,
    is exchanged at the environment's own address: for a session with Airflow 2, for a JWT with Airflow 3.
    """

    environment: str
    region: str = ""

    @property
    def account(self) -> str:
        return f"the AWS identity for the environment {self.environment}"

    def sign_in(self, ask: Ask) -> Signed:
        newer = _served(ask.send("GET", "/api/v2/version")).status == 200
        login, cookie = ("/pluginsv2/aws_mwaa/login", "_token") if newer else ("/aws_mwaa/login", "session")
        content = urlencode({"token": self._web_login_token(ask.deadline)}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = _served(ask.send("POST", login, content=content, headers=form))
        given = re.search(rf"(?:^|[,;\s]){cookie}=([^;,\s]+)", answer.headers.get("set-cookie", ""))
        if answer.status >= 400 or given is None:
            raise Unauthorised(f"The environment opened no session for {self.account} (answer {answer.status}).")
        if newer:
            return Signed({"Authorization": f"Bearer {given[1]}"}, lifetime(given[1]))
        return Signed({"Cookie": f"session={given[1]}"}, LIFE)

    def _web_login_token(self, deadline: float) -> str:
        try:
            session = importlib.import_module("boto3.session")
            config = importlib.import_module("botocore.config")
            errors = importlib.import_module("botocore.exceptions")
        except ImportError:
            raise Unsupported("Signing in to MWAA needs the package boto3. Install it.") from None
        timeout = max(0.5, (deadline - time.monotonic()) / 2)
        once = config.Config(connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1})
        try:
            # a session of our own: boto3's common one is not for several threads
            mwaa = session.Session(region_name=self.region or None).client("mwaa", config=once)
            return str(mwaa.create_web_login_token(Name=self.environment)["WebToken"])
        except errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "refused"))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or code.startswith(BUSY):
                raise Unreachable(
                    f"AWS was asked for a web login token and answered {code}. Try again later."
                ) from None
            raise Unauthorised(f"AWS gives no web login token to {self.account}: {code}.") from None
        except (errors.HTTPClientError, errors.ConnectionError) as error:
            raise Unreachable(f"AWS could not be asked for a web login token ({type(error).__name__}).") from None
        except (errors.BotoCoreError, ValueError) as error:  # no credentials, no region, an impossible name, ...
            raise Unauthorised(f"boto3 cannot speak for {self.account}: {type(error).__name__}.") from None


def _served(answer: Answer) -> Answer:
    if answer.status == 429 or answer.status >= 500:
        raise Unreachable(f"The environment answered {answer.status} when it was to sign us in. Try again later.")
    return answer
