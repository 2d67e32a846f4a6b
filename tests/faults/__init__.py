"""Injects faults into a whole plant of real processes: `python -m tests.faults`, or `make faults`.

Reading order: undisturbed (the simplest scenario), catalogue (what a scenario is), trial (what it can do), plant, kept,
servers and proxy (the processes and what happens to them), load and by_hand (what is sent), lag and watch (what is
looked at meanwhile), oracle and outcome (the verdict), run (the command), table (how it is shown).

Scenarios by theme: crashes, members, recovery, versions, sameness (workers); broker, replicas, network (Kafka); store,
refusals, disk (ClickHouse and disks); lines, clocks, host, calendar (what comes in, and when); displays, walls, sites,
load_shapes, soak (what is shown, changed, sent in bursts, and left running); alarms. `ordering` is an experiment of its
own.
"""
