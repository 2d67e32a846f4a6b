"""Tests of `dashboards/wall/model`."""
