"""Tests of the words about alarms."""
