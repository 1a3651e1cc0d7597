"""Read by Airflow, not by us: passwords that cost nothing, where each call to an older Airflow brings one.

As Airflow has it, checking one takes a tenth of a second of a processor, which is most of what a small call costs.
"""

from werkzeug.security import generate_password_hash

FAB_PASSWORD_HASH_METHOD = "pbkdf2:sha256:1"
generate_password_hash.__defaults__ = (FAB_PASSWORD_HASH_METHOD, 16)  # for releases without this setting
