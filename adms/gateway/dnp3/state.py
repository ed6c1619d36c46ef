"""The highest epoch of the service that was obeyed, kept over restarts: a lower one is refused."""

import json
import os
from pathlib import Path

from adms.client import InputError, Problem


class SeenEpoch:
    """A number in a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.value = self._read()

    def keep(self, epoch: int) -> None:
        """Writes a higher one down. Raises OSError."""
        if epoch <= self.value:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(self._path.suffix + ".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"seen_epoch": epoch}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self.value = epoch

    def _read(self) -> int:
        """Raises InputError for a file that is none of ours: an epoch forgotten would obey a service that is over."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))["seen_epoch"]
            if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
                return found
            problem = "holds no epoch"
        except FileNotFoundError:
            return 0
        except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError) as error:
            problem = f"cannot be read: {error}"
        message = f"{problem}; put it right, or remove it if the devices may obey any epoch"
        raise InputError([Problem(element=str(self._path), field="seen_epoch", value="", message=message)])
