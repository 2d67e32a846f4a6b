"""A load test with ground truth: `gatepulse loadtest`.

Reading order: shape (how the rate goes, and when each event is due) → order and programme (which events one generator
sends) → generator (a process that sends them, with its ledger) → waiting (how long they waited) → search (the highest
rate that holds) → cause (what was at its limit) → chain (what is put under load) → watch (looking at it) → trial (one
load, begin to end) → measure (what it came to) → options and run (the command). report, words, terminal,
plots and page say it.
"""
