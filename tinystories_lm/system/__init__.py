"""Files, processes, signals and the terminal; nothing here knows of models."""
