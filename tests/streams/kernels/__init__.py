"""The kernels, tested with plain data and properties."""
