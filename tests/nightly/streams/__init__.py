"""Nightly tests of `streams`."""
