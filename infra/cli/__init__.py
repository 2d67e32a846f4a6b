"""The command `gatepulse` and its subcommands."""
