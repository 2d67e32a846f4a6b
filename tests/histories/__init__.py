"""Histories of a site: workers, broker and store in one process, with a virtual clock, every moment drawn from a seed.

Read in this order: `clock`, `broker`, `store`, `network`, `worker`, `operations`, `history`, `oracle`, `shrink`.
docs/histories.md says how to repeat a seed.
"""
