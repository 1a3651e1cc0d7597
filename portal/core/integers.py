"""Which whole numbers Airflow can hand to a task.

Airflow sends a task's values to its process as MessagePack, whose integers have 64 bits. A larger one ends the task
without a line in its log (tried on Airflow 3.3.2: 2**64 - 1 and -2**63 pass, the next ones fail).
"""

from __future__ import annotations

SMALLEST, LARGEST = -(2**63), 2**64 - 1
LONGEST = len(str(SMALLEST))  # characters
TOO_LARGE = (
    "a whole number of more than 64 bits, which Airflow cannot pass to a task. Write it as a text, in quotes, if the "
    "DAG takes one."
)


def fits(number: int) -> bool:
    return SMALLEST <= number <= LARGEST
