"""The controls of a run's form."""
