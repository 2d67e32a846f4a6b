"""Tests of `simulators/verify`."""
