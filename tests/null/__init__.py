"""Tests on the null device: everything on the host is real, as on a GPU, and nothing is computed."""
