"""Shared by all rooms: state machine, references, durations, text checks, paging, errors, clock, secrets in texts."""
