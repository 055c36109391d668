"""One HTML page that compares runs: reads their folders, needs no network to be looked at."""
