"""A real Apache Kafka on loopback, for what the embedded broker cannot show: restarts, replication, compaction.

Reading order: install (gets the jars once), properties (the broker's settings), server (one broker), cluster (several).
Which topics there must be, and how they are set, is in `streams/contract/topics.py`.
"""
