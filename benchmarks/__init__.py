"""How quick and how small the bridge is, beside a bare httpx loop and Apache's own clients: `make bench`."""
