"""Tests of the texts about alarms."""
