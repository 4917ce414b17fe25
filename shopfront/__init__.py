"""The command line: builds a workspace from logs, serves it, asks it, evaluates it."""
