"""Run many variants from one command: plan, run apart, resume, compare."""
