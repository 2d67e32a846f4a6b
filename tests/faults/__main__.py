"""Lets `python -m tests.faults` run the scenarios; see `run`."""

from tests.faults.run import main

if __name__ == "__main__":
    main()
