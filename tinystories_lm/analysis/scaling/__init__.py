"""What loss is a matter of: a law in model size and tokens, fitted to a sweep, and what it foretells."""
