"""A run on the disk: its folder, records, checkpoints."""
