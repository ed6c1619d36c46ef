"""`python -m hil.wiring --bus HOST:PORT`: the endpoints' process; started by the bench."""

from __future__ import annotations

import argparse
import asyncio

from hil.wiring.endpoints import serve


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m hil.wiring")
    parser.add_argument("--bus", required=True, metavar="HOST:PORT")
    asyncio.run(serve(address=parser.parse_args().bus))


if __name__ == "__main__":
    main()
