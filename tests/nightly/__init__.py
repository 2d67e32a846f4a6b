"""What takes long: `make nightly`. docs/tests.md names the quick tests that cover the same.

The tests lie as those of `tests`. `operations` does things at random to a plant, `recorder` knows the truth of it.
"""
