"""How to sign in to an Airflow, or to what stands before it: one small class for each way."""

from airflow_bridge.auth.basic import BasicAuth
from airflow_bridge.auth.credentials import Ask, Credentials, Signed
from airflow_bridge.auth.google import GoogleAuth
from airflow_bridge.auth.logs import keep_clean
from airflow_bridge.auth.mwaa import MwaaAuth
from airflow_bridge.auth.oauth2 import OAuth2Auth
from airflow_bridge.auth.password import PasswordAuth
from airflow_bridge.auth.session import Session
from airflow_bridge.auth.token import TokenAuth

__all__ = [
    "Ask",
    "BasicAuth",
    "Credentials",
    "GoogleAuth",
    "MwaaAuth",
    "OAuth2Auth",
    "PasswordAuth",
    "Session",
    "Signed",
    "TokenAuth",
]

keep_clean()
