"""Weights & Biases: the copy of a run that dashboards show."""
