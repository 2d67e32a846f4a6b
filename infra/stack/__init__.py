"""Starts all processes of a demo on this machine, and keeps their state in one directory."""
