"""Tests of the store: rows are idempotent, and the views follow their contract."""
