"""Files, processes, signals and the terminal. Nothing here knows of models."""
