"""Who is compared, each run in a process of its own: see `benchmarks.clients.timed`."""
