"""The profile of a site: areas, entrances, lanes, alarm limits and screens, read from TOML.

Reading order: `profiles/hall.toml` → `model` → `reader` → `validation` → `toml_lines` → `alarm_limits` →
`screens` → `kernel_views`.
"""
