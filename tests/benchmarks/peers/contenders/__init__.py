"""A file for each contender: programs that peers' users would write, and how servers are made to do the job.

Peers run in an environment of their own (`.venv-bench`): what they need contradicts what gatepulse needs.
"""
