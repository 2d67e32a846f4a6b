"""Checks that everything that gatepulse needs on this machine is in place (`gatepulse doctor`)."""
