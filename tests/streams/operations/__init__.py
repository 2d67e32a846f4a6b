"""Tests of `streams/operations`."""
