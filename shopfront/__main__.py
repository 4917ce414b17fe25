"""`python -m shopfront` is the `shopfront` command."""

from shopfront.command_line import main

main()
