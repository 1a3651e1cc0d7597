"""Which integers Airflow can pass to a task.

Airflow sends a task's values to its process as MessagePack, whose integers have 64 bits. With a larger one the task
ends without a line in its log. Tried on Airflow 3.3.2: 2**64 - 1 and -2**63 pass, the next ones fail.
"""

from __future__ import annotations

SMALLEST, LARGEST = -(2**63), 2**64 - 1
LONGEST = len(str(SMALLEST))  # characters
TOO_LARGE = (
    "a whole number of more than 64 bits, which Airflow cannot pass to a task. If the DAG takes a text, write it as a "
    "text, in quotes."
)


def fits(number: int) -> bool:
    return SMALLEST <= number <= LARGEST
