"""What the store promises: the same rows whatever is repeated, and views that answer as the contract says."""
