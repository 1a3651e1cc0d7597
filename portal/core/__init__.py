"""Shared by all packages: state machine, references, durations, text checks, paging, errors, clock, secret masking."""
