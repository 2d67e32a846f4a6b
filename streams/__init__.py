"""From bytes to counts: events in, absolute and versioned figures out.

Reading order: `contract` (what an event is) → `codec` (bytes to columns) → `kernels` (all that counts, pure) →
`checkpoint` (nothing lost, nothing twice) → `consumer` and `agents` (Kafka and Faust) → `app` and `worker` (wiring).
`site` describes the place, `settings` the installation, `clock` the time shown, `metrics` what Prometheus reads.
`console`, `progress_bar` and `comparison` are what people read on a terminal.
"""
