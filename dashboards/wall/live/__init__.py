"""The live figures of the wall: one round of queries at a time, shared by all displays."""
