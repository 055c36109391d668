"""Predict time, cost and memory before a run is paid for."""
