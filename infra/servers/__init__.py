"""The servers that run on this machine for demo and tests: a Kafka broker, Apache Kafka, and ClickHouse."""
