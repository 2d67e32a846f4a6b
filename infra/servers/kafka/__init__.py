"""Runs a real Apache Kafka on loopback, for restarts, replication and compaction, which the embedded broker lacks.

Reading order: install (gets the jars once), server (one broker, and its settings).
Which topics there must be, and how they are set, is in `streams/contract/topics.py`.
"""
