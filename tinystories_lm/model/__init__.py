"""The transformer, its attention, and its parameter and FLOP counts."""
