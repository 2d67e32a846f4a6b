"""Windowed counts of each partition: which events count, in which window, and what the store gets.

Reading order: `batch` (events as columns) → `identity` (deduplication) → `place` (which event times are believed) →
`admission` (what becomes of each event) → `cells` (windowed counts) → `passages` (one partition, counted) → `snapshot`
(its state as plain values) → `takeup` (where reading resumes) → `settlement` (events that came through two partitions).
"""
