"""Say which files of adms/ and hil/ a wheel lacks; exit 1 when there are any. Usage: wheel_is_whole.py WHEEL."""

import sys
import zipfile
from pathlib import Path


def missing(wheel: Path, *, root: Path) -> list[str]:
    """Return files of the source packages that are not in the wheel, as paths below the root."""
    held = set(zipfile.ZipFile(wheel).namelist())
    source = (path for package in ("adms", "hil") for path in (root / package).rglob("*") if path.is_file())
    wanted = {path.relative_to(root).as_posix() for path in source if "__pycache__" not in path.parts}
    return sorted(wanted - held)


if __name__ == "__main__":
    lacking = missing(Path(sys.argv[1]), root=Path.cwd())
    print("\n".join(f"not in the wheel: {name}" for name in lacking) or "whole")
    sys.exit(1 if lacking else 0)
