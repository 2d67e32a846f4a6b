"""Proves that the public views equal the ledger: every row of every view.

Reading order: `truth` (what must be shown) → `fates` (of which passages) → `accounts` and `devices` (of all lines) →
`stored` (what is shown) → `compare` → `verify`.
"""
