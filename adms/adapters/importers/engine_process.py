"""An importer in a process of its own. Engines are native code: a deck can make them crash, never end or take all
memory (a bus at node -1, a file that redirects to itself, a conductor count of 1e13), and then only the child is lost.
It writes into a folder of its own, which goes with it, and nowhere else.

Importers are named by `Importer`; source, overlay and outcome cross as JSON, never as pickles.
"""

import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO

from adms.adapters.importers.confinement import confine
from adms.core.errors import AdapterError, InputError, Problem
from adms.grid.model import NetworkModel

LIMIT_S = 300.0
"""A deck of 8,500 nodes takes about a second."""
_MEMORY_MAX_BYTES = 16 * 1024**3
"""Of address space, which is more than what is used of it."""
_FILE_MAX_BYTES = 64 * 1024**2
"""What is to be written is a few traces at most."""
_ENGINE_SETTINGS = "DSS_"
"""Variables that begin so let the OpenDSS engine run programs, change folders, load another engine, open editors."""
_NO_OPTIONS: Mapping[str, bool] = MappingProxyType({})
_LENGTH = struct.Struct(">Q")


class Importer(StrEnum):
    """Functions (path, overlay=path or None, options) -> NetworkModel, as module:name."""

    OPENDSS = "adms.adapters.importers.opendss:import_opendss"
    PANDAPOWER = "adms.adapters.importers.pandapower:import_pandapower"


def import_apart(
    importer: Importer,
    source: Path,
    *,
    overlay: Path | None = None,
    options: Mapping[str, bool] = _NO_OPTIONS,
    limit_s: float = LIMIT_S,
) -> NetworkModel:
    """The importer's outcome, from a process of its own; arguments and errors as `EngineProcess.read`."""
    with EngineProcess() as engine:
        return engine.read(importer, source, overlay=overlay, options=options, limit_s=limit_s)


class EngineProcess:
    """A child that imports one network after the other; started when it is first needed, and again after it was lost.
    To be closed, or used as a context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        """Of the child: where it works, and all that it can write to."""

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(
        self,
        importer: Importer,
        source: Path,
        *,
        overlay: Path | None = None,
        options: Mapping[str, bool] = _NO_OPTIONS,
        limit_s: float = LIMIT_S,
    ) -> NetworkModel:
        """The network in a file, with an overlay's additions.

        Args:
            importer: what reads it.
            source: the file.
            overlay: what it lacks.
            options: further arguments of the importer, by name.
            limit_s: of real time; the child is ended after it.

        Raises InputError: whatever the importer refuses; and where the engine crashes on the file, or does not finish.
        Raises AdapterError: the engine is not installed, or the importer itself failed.
        """
        place = [str(path.absolute()) if path is not None else None for path in (source, overlay)]
        request = {"importer": importer.value, "source": place[0], "overlay": place[1], "options": dict(options)}
        try:
            answer = self._ask(json.dumps(request).encode(), limit_s=limit_s)
        except TimeoutError:
            self._end()
            raise _refused(source, f"reading it did not end within {limit_s:g} s") from None
        except EOFError:
            raise _refused(source, f"the engine that reads it {_fate(self._end())}") from None
        except BaseException:  # an interrupt, say: the child's next answer would be to an old question
            self._end()
            raise
        return _outcome(
            answer, source=source, given={path: str(path) for path in (source, overlay) if path is not None}
        )

    def close(self) -> None:
        """Ends the child."""
        if self._child is not None:
            self._end()

    def _ask(self, request: bytes, *, limit_s: float) -> bytes:
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _send(child.stdin, request)
        except BrokenPipeError:
            raise EOFError from None
        (length,) = _LENGTH.unpack(_receive(child.stdout, _LENGTH.size, limit_s=limit_s))
        return _receive(child.stdout, length, limit_s=limit_s)

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder = tempfile.TemporaryDirectory(prefix="adms-import-", ignore_cleanup_errors=True)
        place = self._folder.name
        # Not what lies in that folder (-P) is to be imported.
        command = [sys.executable, "-P", "-m", "adms.adapters.importers.engine_process", place]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=place,
            env=_environment(place),
        )
        return self._child

    def _end(self) -> int:
        """Exit status of the child, which is gone afterwards with its folder."""
        child, self._child = self._child, None
        folder, self._folder = self._folder, None
        assert child is not None
        try:
            return self._ended(child)
        finally:
            if folder is not None:
                folder.cleanup()

    @staticmethod
    def _ended(child: subprocess.Popen[bytes]) -> int:
        if child.stdout is not None and not select.select([child.stdout], [], [], 0.0)[0]:
            child.kill()  # it neither answers nor has ended
        with child:
            if child.stdin is not None:
                child.stdin.close()
            try:
                return child.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                child.kill()
                return child.wait()


def _environment(folder: str) -> Mapping[str, str]:
    """The same code in the child as here, temporary files in its folder, and nothing that lets its engine do more."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_ENGINE_SETTINGS)}
    named = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    code = [str(Path(__file__).resolve().parents[3]), *(str(Path(path).absolute()) for path in named)]
    return {**kept, "PYTHONPATH": os.pathsep.join(code), "TMPDIR": folder, "TMP": folder, "TEMP": folder}


def _fate(status: int) -> str:
    if status >= 0:
        return f"ended without an answer (exit code {status})"
    return f"crashed on it ({signal.strsignal(-status) or f'signal {-status}'})"


def _refused(source: Path, message: str) -> InputError:
    return InputError([Problem(element=str(source), field="", value="", message=message)])


def _outcome(answer: bytes, *, source: Path, given: Mapping[Path, str]) -> NetworkModel:
    from adms.adapters.model_file import MODEL

    said = json.loads(answer[:1])
    if said == 1:
        return MODEL.validate_json(answer[1:])
    content: dict[str, Any] = json.loads(answer[1:])
    if "failed" in content:
        raise AdapterError(f"{source}: {content['failed']}", retryable=False)
    names = {str(path.absolute()): name for path, name in given.items()}
    raise InputError(
        Problem(**{**problem, "element": names.get(problem["element"], problem["element"])})
        for problem in content["problems"]
    )


def _send(pipe: BinaryIO | Any, content: bytes) -> None:
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: Any, length: int, *, limit_s: float) -> bytes:
    """Raises TimeoutError where nothing comes for so long, EOFError where the pipe ends before."""
    parts = []
    while length:
        if not select.select([pipe], [], [], limit_s)[0]:
            raise TimeoutError
        part = os.read(pipe.fileno(), min(length, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _serve(folder: Path) -> None:
    """The child: what the engine prints goes nowhere, and the pipe of answers is out of its reach."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY_MAX_BYTES),
        (resource.RLIMIT_FSIZE, _FILE_MAX_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    _keep_machine_code(folder)
    confine(folder)
    while head := questions.read(_LENGTH.size):
        request = json.loads(questions.read(_LENGTH.unpack(head)[0]))
        _send(answers, _answer(request))


def _keep_machine_code(folder: Path) -> None:
    """Takes what an importer needs of compiled code from where it is kept, or puts it there, while that is possible;
    other code compiled later is kept in `folder`."""
    import numpy as np
    from numba.core import config

    from adms.grid.load_law import LAW_COLUMNS, voltage_factors

    voltage_factors(np.ones(1), np.zeros((1, LAW_COLUMNS)))
    vars(config)["CACHE_DIR"] = str(folder)


def _answer(request: Mapping[str, Any]) -> bytes:
    """b"1" and the model, or b"0" and why there is none."""
    from adms.adapters.model_file import MODEL

    module, _, name = request["importer"].partition(":")
    overlay = None if request["overlay"] is None else Path(request["overlay"])
    try:
        model = getattr(import_module(module), name)(Path(request["source"]), overlay=overlay, **request["options"])
        return b"1" + MODEL.dump_json(model)
    except InputError as error:
        return b"0" + json.dumps({"problems": [vars(problem) for problem in error.problems]}).encode()
    except AdapterError as error:
        return b"0" + json.dumps({"failed": str(error)}).encode()
    except MemoryError:
        problem = Problem(element=request["source"], field="", value="", message="reading it takes too much memory")
        return b"0" + json.dumps({"problems": [vars(problem)]}).encode()
    except Exception as error:  # whatever an importer did not foresee is said in words
        return b"0" + json.dumps({"failed": f"the importer failed: {type(error).__name__}: {error}"}).encode()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
