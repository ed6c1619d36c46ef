"""What the wiring starts ends with it, also where the bench is killed outright."""

import select
import subprocess
import sys
from os import pidfd_open
from pathlib import Path

from hil.wiring.processes import Started

BENCH = """
import asyncio, sys
from pathlib import Path
from hil.wiring.processes import Started

async def main():
    server = Started(("http.server", "0", "--bind", "127.0.0.1"), log=Path(sys.argv[1]))
    await server.start()
    while "Serving" not in Path(sys.argv[1]).read_text():
        await asyncio.sleep(0.02)
    print(server.pid, flush=True)
    await asyncio.sleep(60.0)

asyncio.run(main())
"""


def test_a_process_ends_with_a_bench_that_is_killed(tmp_path: Path) -> None:
    run = [sys.executable, "-c", BENCH, str(tmp_path / "log")]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        handle = pidfd_open(int(bench.stdout.readline()))
        assert not select.select([handle], [], [], 0.0)[0]
        bench.kill()
    assert select.select([handle], [], [], 10.0)[0]


async def test_what_a_process_said_last_is_kept_and_it_can_be_started_again(tmp_path: Path) -> None:
    process = Started(("adms.gateway", "sunspec", str(tmp_path / "none.toml")), log=tmp_path / "log")
    for count in (1, 2):
        await process.start()
        assert process._process is not None
        assert await process._process.wait() == 2
        assert not process.running
        assert process.last_words.count("no such file") == count
        await process.end()
