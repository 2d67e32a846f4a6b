"""Made-up days of passages: who goes through which lane, and when.

Reading order: `scenario` (what one is) → `hall` (a small one) → `steps` and `draws` (what people do) → `assemble`
(lanes, turns, numbers) → `day` → `lines`. The large one is in `expo`; `registry` has all by name.
"""
