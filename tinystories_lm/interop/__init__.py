"""Exchange models with other programs: transformers' folders, GGUF files."""
