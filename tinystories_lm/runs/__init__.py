"""A run on disk: its folder, records, checkpoints and how it is found."""
