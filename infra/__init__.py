"""Starts processes, servers and whole stacks, and has the command `gatepulse`.

Reading order: `process` (child processes that never outlive us, ports, sandbox) → `servers` (ClickHouse, a Kafka
broker for demos, Apache Kafka) → `relay` (messages of alarms to robots) → `alerting` (Prometheus and Alertmanager) →
`stack` (all processes of a site on this machine) → `demo`, `loadtest` and `doctor` → `cli` (each command a module).
"""
