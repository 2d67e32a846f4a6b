"""Forecasts from counts: when an area is full, how long people wait, which lanes to open.

Reading order: `paths` → `calibration` → `forecast`; `queueing` → `advice`.
"""
