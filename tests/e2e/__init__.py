"""Runs the real command from end to end: processes, crashes, signals, wrong use. Read demos.py first."""
