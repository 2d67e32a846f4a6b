"""What gatepulse exchanges with the outside: events, topics, dead letters, and the codec from bytes to columns.

Reading order: `events` → `fields` → `codec` → `topics` → `stored_episodes` → `parked`.
"""
