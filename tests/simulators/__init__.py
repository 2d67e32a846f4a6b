"""Tests of the event simulators, the ledger and the verification."""
