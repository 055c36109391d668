"""Copy runs to Weights & Biases."""
