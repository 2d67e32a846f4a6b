"""Helpers for tests: made-up sites, events and rows, processes and plants on this machine, and doubles."""
