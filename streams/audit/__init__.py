"""Recomputes what is published from the raw passages, and names every row that differs: `gatepulse audit`.

Read in this order: `interval` (which windows are asked about), `views` (how each view is recomputed), `compare` (when
a difference counts), `report` (how it is told), `watch` (the audit that repeats itself).
"""
