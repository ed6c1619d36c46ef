"""Build hook: generates `adms.wire` from the protos beside this file, for wheels, source and editable installs alike.

The proto package `adms.<name>.v1` becomes the Python package `adms.wire.<name>.v1`, with type stubs.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
MODULE = re.compile(r"\badms((?:\.\w+)+_pb2)\b")
FROM_PACKAGE = re.compile(r"^(from|import) adms\.", re.MULTILINE)
PACKAGE_DOCSTRING = '"""Generated from protos/ at install; do not edit."""\n'


def generate(root: Path) -> list[Path]:
    """Write `adms/wire` under the project's root anew and return its files.

    Raises RuntimeError with the compiler's words when a proto does not compile or a stub plugin is missing.
    """
    protos = root / "protos"
    sources = sorted(protos.glob("adms/**/*.proto"))
    if not sources:
        raise RuntimeError(f"no .proto files under {protos}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        _compile(sources, protos=protos, out=out)
        for written in out.rglob("*.py*"):
            written.write_text(_in_wire(written.read_text()))
        for package in [out / "adms", *(path for path in (out / "adms").rglob("*") if path.is_dir())]:
            (package / "__init__.py").write_text(PACKAGE_DOCSTRING)
        wire = root / "adms" / "wire"
        shutil.rmtree(wire, ignore_errors=True)
        shutil.copytree(out / "adms", wire)
    return sorted(wire.rglob("*.py*"))


def _compile(sources: list[Path], *, protos: Path, out: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{protos}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
    ]
    command += [f"--plugin={name}={_plugin(name)}" for name in PLUGINS]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True, env=_environment())
    if done.returncode != 0:
        raise RuntimeError(f"protoc refused the protos:\n{done.stderr or done.stdout}")


def _plugin(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise RuntimeError(f"{name} not found: install mypy-protobuf into the build environment")
    return found


def _environment() -> dict[str, str]:
    # In an isolated build the front end puts its packages on sys.path of this process only.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def _in_wire(text: str) -> str:
    return MODULE.sub(r"adms.wire\1", FROM_PACKAGE.sub(r"\1 adms.wire.", text))


class WireBuildHook(BuildHookInterface[Any]):
    """Runs before hatchling collects files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate for wheels, normal and editable; a source distribution carries the protos themselves."""
        if self.target_name == "wheel":
            generate(Path(self.root))


if __name__ == "__main__":
    for path in generate(Path(__file__).resolve().parent.parent):
        print(path.name)
