"""The forecasting process: reads the views every minute, writes occupancy forecasts, queues and advice.

Its state can be computed from the store again: a process that ends loses no figure. The models are in
`kernels/forecast`. Read `areas`, `queues`, `advice_state`, `reading` and, last, `watch`.
"""
