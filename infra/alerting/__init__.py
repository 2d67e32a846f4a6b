"""Prometheus and Alertmanager, set up for gatepulse: what the workers say reaches `infra/relay` within seconds.

Reading order: rules/ (what is an alert), config (their settings, from the site's profile), server (both as processes),
chain (both and the relay, together), receiver (a group that listens here, for demos), command (`gatepulse alerting`).
"""
