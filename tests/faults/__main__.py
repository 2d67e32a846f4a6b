"""Runs the fault scenarios for `python -m tests.faults`; see `run`."""

from tests.faults.run import main

if __name__ == "__main__":
    main()
