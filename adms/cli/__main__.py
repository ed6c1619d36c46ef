"""`python -m adms.cli`: the same as the `adms` command."""

from adms.cli import main

main()
