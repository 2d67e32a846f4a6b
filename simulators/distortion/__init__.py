"""Simulates what networks and devices do to a day's events: duplicates, delays, disorder, losses, broken lines.

Reading order: `settings` (how much) → `distort` (with `malformed` lines).
"""
