"""The settings: schema, choices, composition by Hydra, and the hash that names a run."""
