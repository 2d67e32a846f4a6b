"""Tests of `streams/kernels/forecast`."""
