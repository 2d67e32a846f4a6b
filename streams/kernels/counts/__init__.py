"""Windowed counts of each partition: which events count, in which window, and what the store gets.

Reading order: `batch` (events as columns) → `identity` (deduplication) → `place` (which event times are believed) →
`admission` (what becomes of each event) → `cells` (windowed counts) → `passages` (one partition, counted) → `snapshot`
(its state as plain values) → `takeup` (where reading resumes) → `settlement` (events that came through two partitions).
`live` has the counts by second for alarms, `corrections` the manual ones, `calendar` and `site_clock` the site's time.
"""
