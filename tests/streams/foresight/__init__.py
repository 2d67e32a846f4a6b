"""Tests of foresight."""
