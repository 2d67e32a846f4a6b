"""The same job on the same topic, done by gatepulse and by its peers, side by side: `make bench`.

Read `job` (what each is told and answers), `input` (the topic and the truth), `contenders/` (a file each), `process`
(one process on one core), `judge` (what came of it), `page` and `plot` (how it is shown), `__main__`.
"""
