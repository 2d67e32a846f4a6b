"""Tests of `streams/audit`."""
