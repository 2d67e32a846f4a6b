"""Tests of the commands, the embedded servers, their supervision, and the checks."""
