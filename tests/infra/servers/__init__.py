"""Tests of `infra/servers`."""
