"""One run from command to summary."""
