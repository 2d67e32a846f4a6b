"""Tests of Prometheus and Alertmanager as they are set up here, and of the whole way to the robots."""
