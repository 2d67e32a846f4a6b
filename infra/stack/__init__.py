"""Starts all processes of a demo on this machine, and stores their state in one directory."""
