"""Tests mirror the packages; `e2e` runs the demo as its user does, `benchmarks` and `pictures` are run by hand."""
