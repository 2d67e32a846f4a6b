"""Tests of `dashboards/wall`."""
