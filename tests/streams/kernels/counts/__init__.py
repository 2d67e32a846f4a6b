"""Tests of `streams/kernels/counts`."""
