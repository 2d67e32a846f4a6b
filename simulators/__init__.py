"""Simulates people and vehicles, records the truth in a ledger, and verifies that it was counted.

Reading order: `scenario` (a made-up day) → `distortion` (what goes wrong on its way) → `ledger` (what was sent) →
`sending` (to Kafka, at the pace of a clock) → `verify` (whether everything published equals it). `incidents` does the
same for alarms.
"""
