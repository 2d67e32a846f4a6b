"""Tests of `infra/stack`."""
