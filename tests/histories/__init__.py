"""Simulation tests: workers, broker and store in one process, with a virtual clock and faults drawn from a seed.

Read in this order: `clock`, `broker`, `store`, `network`, `worker`, `operations`, `history`, `oracle`, `shrink`.
docs/histories.md says how to repeat a seed.
"""
