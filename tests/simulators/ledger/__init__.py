"""Tests of `simulators/ledger`."""
