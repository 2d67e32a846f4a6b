"""Replay of a past interval on the same wall, with the data known at that time or with the data known today.

Read in this order:

`request` (interval, speed, knowledge, moments) → `counts`, `inside`, `sources` (figures as of a moment, pure) → `state`
(all of them as one `WallRows`, pure) → `queries`, `history` (reading the store) → `player` (the event stream of one
replay).
"""
