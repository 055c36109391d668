"""Run `tinystories-lm` as `python -m tinystories_lm`."""

from tinystories_lm.cli.main import main

main()
