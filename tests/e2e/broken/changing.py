"""Changes modules of a service as they are imported, for services that are broken on purpose."""

import sys
from collections.abc import Callable, Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Change = Callable[[Any], None]


class _Finder(MetaPathFinder):
    def __init__(self, changes: Mapping[str, Change]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._changes:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        spec.loader = _Changed(spec.loader, self._changes[name])
        return spec


class _Changed(Loader):
    def __init__(self, usual: Any, change: Change) -> None:
        self._usual, self._change = usual, change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._usual.exec_module(module)
        self._change(module)


def change(**changes: Change) -> None:
    """Call a change with its module once that has been imported; `__` in a name stands for a dot."""
    sys.meta_path.insert(0, _Finder({name.replace("__", "."): of for name, of in changes.items()}))
