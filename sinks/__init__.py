"""Rows on their way to the store, and the stores that keep them.

Read in this order: `rows` (the tables and what a row is), `sink` (what every store promises), `memory` (the
smallest store), `schema/*.sql` and `schema` (the tables and views on the server), `clickhouse` (the server), `native`
(what is sent to it), `failures` (which of its errors pass by themselves).
"""
