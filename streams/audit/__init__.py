"""Audits published counts: recomputes them from the raw passages and lists every row that differs (`gatepulse audit`).

Read in this order: `interval` (which windows are compared), `views` (how each view is recomputed), `compare` (when a
difference counts), `report` (JSON and table), `pace` (rests between queries), `watch` (the repeated audit).
"""
