"""Tests of `simulators/incidents`."""
