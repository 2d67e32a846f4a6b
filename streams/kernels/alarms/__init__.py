"""Alarm rules and episodes in event time: counts and store figures in, changes of alarm episodes out.

Reading order: `inputs` (messages) → `recent` (the last minutes) → `rules` (thresholds, delays, and the list of them) →
`episodes` (one alarm from raise to clear) → `silence` (missing traffic) → `areas` (percent of capacity, and what else
is not a live count) → `log` (all of it) → `snapshot`.
"""
