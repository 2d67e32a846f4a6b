"""Tests of `simulators/scenario`."""
