"""Verifies that every row of every public view equals the ledger (`gatepulse verify`).

Reading order: `truth` (what must be shown, with `inside`) → `fates` (of which passages) → `accounts` (of all lines and
devices) → `stored` (what is shown) → `compare` → `verify`.
"""
