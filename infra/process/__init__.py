"""Child processes: starting, supervising and confining them, and loopback ports."""
