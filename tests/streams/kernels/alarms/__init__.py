"""The kernels of the alarms, tested with plain data and properties."""
