"""Writes rows to ClickHouse: table declarations, DDL migrations, the sink that inserts, and a sink in memory.

Read in this order: `schema/*.sql` (the tables and views on the server), `rows` (these files, the tables that are
written, and what a row is), `sink` (what every store promises), `memory` (the smallest store), `schema` (how the files
are applied), `clickhouse` (the server), `native` (what is sent to it), `answer` (what it answers), `failures`
(which of its errors pass by themselves).
"""
