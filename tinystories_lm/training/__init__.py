"""The training loop, the optimizer and the learning-rate schedule; the loop can be read alone."""
