"""Fit a scaling law to a sweep and predict runs from it."""
