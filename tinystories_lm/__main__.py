from tinystories_lm.cli.main import main

main()
