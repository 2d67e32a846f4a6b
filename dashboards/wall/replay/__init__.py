"""Replay of a past interval: the same wall, out of the store, as it was known then or as it is known today.

Read in this order:

`asked` (which interval, how fast, in which knowledge) → `counts`, `inside`, `devices`, `logs` (what is known at a
moment, pure) → `past` (their rows as one `Reading`, as the live wall has it, pure) → `questions`, `asking`,
`beginning`, `history` (the store) → `player` (one display's replay) → `routes` (HTTP).
"""
