"""Every RPC of the protos is served, and the wire is generated, never committed."""

import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

import adms.adapters
import adms.wire


def _modules(package: ModuleType, *, ending: str = "") -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.endswith(ending):
            yield importlib.import_module(found.name)


def _services() -> dict[str, tuple[ServiceDescriptor, type[object]]]:
    """Each service of the protos with the servicer class generated for it."""
    found: dict[str, tuple[ServiceDescriptor, type[object]]] = {}
    for module in _modules(adms.wire, ending="_pb2"):
        file: FileDescriptor = module.DESCRIPTOR
        stubs = importlib.import_module(f"{module.__name__}_grpc")
        for service in file.services_by_name.values():
            found[service.full_name] = (service, getattr(stubs, f"{service.name}Servicer"))
    return found


@pytest.mark.parametrize("name", sorted(_services()))
def test_every_rpc_is_served_by_an_adapter(name: str) -> None:
    service, generated = _services()[name]
    for _ in _modules(adms.adapters):
        pass
    serving: list[type] = [cls for cls in generated.__subclasses__() if cls.__module__.startswith("adms.adapters.")]
    assert serving, f"no adapter implements {name}"
    for cls in serving:
        unserved = [rpc.name for rpc in service.methods if getattr(cls, rpc.name) is getattr(generated, rpc.name)]
        assert not unserved, f"{cls.__name__} leaves {unserved} of {name} unserved"


def test_the_wire_is_not_committed(project_root: Path) -> None:
    if not (project_root / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "adms/wire"], cwd=project_root, capture_output=True, text=True, check=True
    )
    assert listed.stdout == ""


def test_the_wire_has_every_proto(project_root: Path) -> None:
    protos = {
        path.relative_to(project_root / "protos" / "adms") for path in project_root.glob("protos/adms/**/*.proto")
    }
    wire = Path(adms.wire.__path__[0])
    assert {proto for proto in protos if not (wire / proto.with_name(f"{proto.stem}_pb2.pyi")).is_file()} == set()
