"""What each command takes; whatever it needs to do it is imported inside, so that --help stays quick."""
