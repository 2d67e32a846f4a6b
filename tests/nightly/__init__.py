"""What takes long: `make nightly`. Read `operations`, then `recorder`, which knows the truth."""
