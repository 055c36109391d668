from tinystories_lm.command import main

main()
