"""Tests of `simulators/distortion`."""
