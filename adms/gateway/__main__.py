"""`python -m adms.gateway ...`: what `adms gateway` becomes. Exit codes: 0 done, 2 it could not run."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from adms.client import AdapterError, InputError
from adms.gateway.recording import read_recording
from adms.gateway.replay import replay
from adms.gateway.sunspec import load_config, run_gateway


def main() -> int:
    """Run one gateway; the exit code."""
    parser = argparse.ArgumentParser(prog="adms gateway")
    commands = parser.add_subparsers(dest="command", required=True)
    player = commands.add_parser("replay", help="stream a recording of telemetry")
    player.add_argument("file", type=Path)
    player.add_argument("--endpoint", required=True)
    player.add_argument("--source", required=True)
    player.add_argument("--speed", type=float, default=1.0)
    sunspec = commands.add_parser("sunspec", help="lead SunSpec Modbus TCP inverters and batteries")
    sunspec.add_argument("config", type=Path)
    master = commands.add_parser("dnp3", help="a DNP3 master for RTUs")
    master.add_argument("config", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "sunspec":
            asyncio.run(run_gateway(load_config(arguments.config)))
            return 0
        if arguments.command == "dnp3":
            return _dnp3(arguments.config)
        recording = read_recording(arguments.file)
        used = asyncio.run(
            replay(recording, endpoint=arguments.endpoint, source_id=arguments.source, speed=arguments.speed)
        )
    except InputError as refused:
        for problem in refused.problems:
            print(f"adms gateway: {problem}", file=sys.stderr)
        return 2
    except AdapterError as failed:
        print(f"adms gateway: {failed}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{used} frames used, {len(recording.points)} points")
    return 0


def _dnp3(path: Path) -> int:
    """Until SIGTERM, which ends it well, or an interrupt."""
    from adms.gateway.dnp3.config import read_configuration
    from adms.gateway.dnp3.gateway import run_gateway
    from adms.gateway.dnp3.state import SeenEpoch

    configuration = read_configuration(path)
    state = SeenEpoch(path.parent / configuration.gateway.state_file)
    # The library's warnings tell one by one what a peer sends; a peer gone mad would fill the disk with them.
    logging.getLogger("dnp3").setLevel(logging.CRITICAL)

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await run_gateway(configuration, state=state, say=lambda text: print(text, file=sys.stderr, flush=True))

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
