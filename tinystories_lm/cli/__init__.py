"""The commands: parse arguments, report errors in one line, return exit codes."""
