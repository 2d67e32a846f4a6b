"""Prometheus and Alertmanager, set up for gatepulse: the platform's own alerts reach `infra/relay` within seconds.

Reading order: rules/ (what is an alert), server (both as processes), chain (their settings, and all with the relay),
receiver (a group that listens here, for demos).
"""
