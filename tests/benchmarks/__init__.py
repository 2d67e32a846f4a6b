"""Measurements of speed, run by hand; a test never asserts a speed."""
