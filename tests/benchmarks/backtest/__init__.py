"""How good the forecasts and the advice are, on simulated days: `python -m tests.benchmarks.backtest`."""
