"""Tests of `dashboards/wall/http`."""
