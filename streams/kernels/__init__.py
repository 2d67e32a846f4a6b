"""Pure computation: state and events in, state and rows out; no I/O, clock or randomness.

Reading order: `counts` (deduplication, windows, snapshots) → `alarms` (rules and episodes) → `forecast` (occupancy,
queues, advice). Each has its own reading order.
"""
