"""Alarm rules and episodes in event time: counts and store figures in, changes of alarm episodes out.

Reading order: `inputs` (messages) → `recent` (the last minutes) → `limits` (thresholds and delays) → `episodes` (one
alarm from raise to clear) → `rules` (which alarms there are) → `silence` (missing traffic) → `areas` (percent of
capacity) → `log` (all of it) → `snapshot`.
"""
