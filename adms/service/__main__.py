"""`python -m adms.service --config FILE`: exit code 0 when told to stop, 2 for what a user can put right."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog
import uvloop

from adms.core.errors import AdapterError, InputError
from adms.service.config import load_configuration
from adms.service.run import serve

EXIT_BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Runs the service; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m adms.service", description="Runs the control service.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration file (TOML)")
    options = parser.parse_args(arguments)
    # Standard output carries the ready line; everything for people and logs goes to standard error.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        configuration = load_configuration(options.config)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(configuration))
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return EXIT_BAD_INPUT
    except AdapterError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
