"""Sends a made-up day to Kafka at the pace of the site clock, every attempt entered in the ledger.

Reading order: `plan` (what) → `play` and `pace` (when) → `messages`, `producer` and `produce` (to Kafka; `lag` holds it
back) → `run` (all of it).
"""
