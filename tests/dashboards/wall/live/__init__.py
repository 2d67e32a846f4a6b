"""Tests of `dashboards/wall/live`."""
