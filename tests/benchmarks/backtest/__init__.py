"""Measures forecasts and advice on simulated days: `python -m tests.benchmarks.backtest`."""
