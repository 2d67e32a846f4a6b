"""The load test that compares every count with a ledger: `gatepulse loadtest`.

Reading order: shape (how the rate goes, and when each event is due) → assignment and load_events (which events one
generator sends) → generator (a process that sends them, with its ledger) → latency (how long they waited) → search (the
highest rate that holds) → bottleneck (what was at its limit) → target (what is put under load) → sampling (its figures
over time) → trial (one load, begin to end) → measure (the figures of a trial) → options and run (the command). report,
words, terminal, plots and page present the result.
"""
