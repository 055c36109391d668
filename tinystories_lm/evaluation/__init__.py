"""Measure a trained model: perplexity and the quality of its stories."""
