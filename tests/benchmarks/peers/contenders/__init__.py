"""One module for each contender: the program that its users would write for the job.

Peers run in an environment of their own (`.venv-bench`): what they need contradicts what gatepulse needs.
"""
