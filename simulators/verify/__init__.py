"""Verifies that every row of every public view equals the ledger (`gatepulse verify`).

Reading order: `truth` (what must be shown) → `fates` (of which passages) → `accounts` and `devices` (of all lines) →
`stored` (what is shown) → `compare` → `verify`.
"""
