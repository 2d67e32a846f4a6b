"""What is to come, each minute anew from what is stored: how full areas get, how long people wait, what to do about it.

It counts nothing and keeps nothing that cannot be read from the store again: a process that ends loses no figure. How
it is reckoned is in `kernels/forecast.py` and `kernels/queueing.py`. Read `areas.py` first, then `queues.py`,
`standing.py`, `reading.py` and, last, `watch.py`.
"""
