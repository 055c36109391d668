"""Sweeps: many runs from one line, planned, run each on its own, and compared."""
