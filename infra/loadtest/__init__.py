"""The load test that compares every count with a ledger: `gatepulse loadtest`.

Reading order: load (which events are sent, and when each is due) → generator (a process that sends its share of them,
with its ledger) → latency (how long they waited) → measure (the figures of a trial, and what was at its limit) → search
(the highest rate that holds) → target (what is put under load) → sampling (its figures over time) → trial (one load,
begin to end) → options and run (the command). report, words, terminal, plots and page present the result.
"""
