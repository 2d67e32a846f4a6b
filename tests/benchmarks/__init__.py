"""Measurements, run by hand: speeds belong here and never into a test's assertion."""
