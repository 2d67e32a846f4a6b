"""Sends a made-up day to Kafka at the pace of the site clock, every attempt entered in the ledger."""
