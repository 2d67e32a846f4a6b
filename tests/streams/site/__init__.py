"""Tests of `streams/site`."""
