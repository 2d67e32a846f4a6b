"""The ledger of a simulator: every line that was sent, and what became of each attempt."""
