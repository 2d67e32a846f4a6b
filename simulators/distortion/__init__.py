"""What networks and devices do to a day of events: duplicates, delays, disorder, losses, broken lines."""
