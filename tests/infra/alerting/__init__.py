"""Tests of the settings of Prometheus and Alertmanager, and of the whole way to the robots."""
