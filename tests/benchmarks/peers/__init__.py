"""Compares gatepulse with other stream processors on the same job and topic: `make bench`.

Read `job` (what each receives and answers), `input` (the topic and the truth), `contenders/` (a file each), `process`
(one process on one core), `judge` (what came of it), `page` and `plot` (how it is shown), `__main__`.
"""
