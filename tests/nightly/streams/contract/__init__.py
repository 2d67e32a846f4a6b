"""Nightly tests of the contract."""
