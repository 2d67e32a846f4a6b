"""What an operator does to running partitions: acknowledge alarms, accept losses, store parked rows."""
