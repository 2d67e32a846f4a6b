"""Tests of the dashboards package."""
