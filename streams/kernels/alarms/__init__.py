"""Alarms, computed from counts in event time: what is known goes in, changes of episodes come out.

Reading order: told, inputs (what is known), recent (the last minutes), limits (when a limit is exceeded), episodes (one
alarm from raise to clear), rules (which alarms there are), silence (what is not heard from), areas (how full they are),
log (all of it), snapshot.
"""
