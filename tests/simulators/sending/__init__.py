"""Tests of `simulators/sending`."""
