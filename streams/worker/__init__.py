"""The worker process: a Faust app that consumes the source topics, counts, flushes rows and writes checkpoints.

Reading order: `consumer` → `counting` → `partition_state` → `flush` → `checkpoint` → `takeup` → `agents` (Faust) →
`app` (wiring) → `main` (the process).
"""
