"""Made-up people and vehicles, the truth about them, and the proof that it was counted.

Reading order, for making events up: `spec` (the figures) → `people`, `vehicles`, `refusals` (what they do, as
`steps` through `gates`) → `lanes` (each in turn) → `expo` (a `day`) → `distortion` and `distort` (what goes wrong on
the way, with `malformed` lines and `devices_at_fault`) → `plan`, `play` and `pace` (when) → `lines`, `messages`,
`producer` and `produce` (to Kafka; `lag` holds it back) → `run` (all of it).

For proving: `ledger` (what was sent) → `truth` (what must be shown) → `fates` (of which passages) → `accounts` and
`devices` (of all lines) → `stored` (what is shown) → `compare` → `verify`. `incidents` does the same for alarms, and
`backtest` (with `backtest_days`, `_score`, `_methods`, `_queue`, `_library`, `_tables`) for forecasts and advice.
"""
