"""The worker process: a Faust app that consumes the source topics, counts, flushes rows and keeps checkpoints.

Reading order: `consumer` → `agents` → `counting` → `checkpoint` → `takeup` → `app` (wiring) → `main` (the process).
"""
