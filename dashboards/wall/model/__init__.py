"""The wall's figures of a site, computed from rows of the public views; pure.

Reading order: `rows` (input) → `figures` (output types) → `snapshot`, `alarms`, `trend`.
"""
