"""Server processes, commands and checks around gatepulse's counting.

Reading order: clickhouse (the store for demo and tests; clickhouse_config, clickhouse_child and sandbox are its parts),
broker and broker_child (the same for Kafka), service and supervisor (keep processes alive), child and lifeline (how one
process is started so that it never outlives us), ports, doctor (is everything in place?), check_python (run by make
before anything is installed), demo and cli (what the command `gatepulse` does). kafka is Apache Kafka; alerting is
Prometheus and Alertmanager, relay brings their alerts to people.
"""
