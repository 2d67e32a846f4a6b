"""The profile of a site: areas, entrances, lanes, alarm limits and screens, read from TOML.

Reading order: `profiles/expo.toml` → `model` → `reader` → `validation` → `kernel_views`.
"""
