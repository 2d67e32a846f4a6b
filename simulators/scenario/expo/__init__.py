"""The peak day of a large exposition."""
