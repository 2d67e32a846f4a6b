"""Tests of the forecasting process."""
