"""The wall's picture of a site, computed from rows of the public views; pure.

Reading order: `reading` (rows in) → `figures` (types out) → `snapshot`, `alarms`, `trend`.
"""
