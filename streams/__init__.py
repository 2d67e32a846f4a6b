"""Stream processing: events from Kafka in, absolute and versioned counts, alarms and forecasts out.

Reading order: `contract` (events, topics, codec) → `kernels/counts` (deduplication and windows, pure) → `worker`
(Kafka, Faust, checkpoints) → `kernels/alarms` → `kernels/forecast` and `forecasting`. `site` reads the profile of a
site, `settings` the installation. `sources` has the state of the source topics, `operations` what operators do, and
`audit` the proof that counts are right. `console`, `progress_bar` and `comparison` are what people read on a terminal.
"""
