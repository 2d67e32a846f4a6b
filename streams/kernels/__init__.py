"""Everything that counts, without I/O, clock or randomness: state in, events in, state and rows out.

Reading order: `batch` (events as columns) → `identity` (each event once) → `times` (which times are believed) →
`admission` (what becomes of each event) → `cells` (windowed counts) → `passages` (one log, counted) →
`snapshot` (its state, kept) → `corrections` (audited changes of an occupancy) → `venue` (the site as a whole).
`calendar` knows the site's days. For alarms: `live` (what passes right now), then the package `alarms`.

Ahead of time: `paths` → `calibration` → `forecast` (when an area is full); `queueing` →
`opening` → `advice` (how long people wait, and which lanes to open).
"""
