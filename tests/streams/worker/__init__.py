"""Tests of `streams/worker`."""
