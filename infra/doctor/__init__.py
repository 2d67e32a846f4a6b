"""Checks that everything that gatepulse needs is in place."""
