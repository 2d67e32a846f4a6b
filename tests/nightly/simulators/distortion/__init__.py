"""Tests that take long."""
