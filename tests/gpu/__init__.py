"""Tests of values on a GPU: `make test-gpu`."""
