"""Models in the form of other programs: transformers' folders, GGUF files."""
