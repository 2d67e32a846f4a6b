"""Proves that the public views equal the ledger: every row of every view."""
