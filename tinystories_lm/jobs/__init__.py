"""Carry out one run, from the command to the summary."""
