"""The built-in corpus: a seeded grammar that writes children's stories."""
