"""Tests of `infra/doctor`."""
