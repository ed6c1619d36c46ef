"""The `adms` command."""


def main() -> None:
    """Run the command line."""
    from adms.cli.app import run

    run()
