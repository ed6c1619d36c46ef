"""What commands on a model file have in common: the model, the study on top of it, the picture to be written."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adms.cli.extras import MATPLOTLIB, require
from adms.cli.progress import underway
from adms.core.errors import InputError, Problem
from adms.core.ids import ModelVersion
from adms.grid.model import NetworkModel
from adms.grid.state import GridState, normal_state

if TYPE_CHECKING:
    from adms.grid.study_applied import AppliedStudy

PLOT_FORMATS = (".png", ".svg", ".pdf")


class Studied(NamedTuple):
    """A model in the state that a command starts from."""

    model: NetworkModel
    version: ModelVersion
    """Of the file, without the study."""
    grid: GridState
    applied: "AppliedStudy | None"


def studied(file: Path, *, study: Path | None, time_s: float) -> Studied:
    """A model file with a study on top, where one is given. Raises InputError with everything wrong with them."""
    from adms.adapters.model_file import load_model

    if not math.isfinite(time_s) or (study is None and time_s != 0.0):
        message = "is a second of a study: a finite number, and it goes with --study"
        raise InputError([Problem(element="command line", field="--at", value=str(time_s), message=message)])
    with underway(f"reading {file.name}"):
        model, version = load_model(file)
    if study is None:
        return Studied(model=model, version=version, grid=normal_state(model), applied=None)
    from adms.adapters.study import read_study
    from adms.grid.study_applied import apply_study

    applied = apply_study(model, read_study(study))
    return Studied(model=applied.model, version=version, grid=applied.grid, applied=applied)


def ignored(applied: "AppliedStudy", *, time_s: float, by: str) -> list[str]:
    """What of a study holds at that time and is no part of what is computed (`by`)."""
    return [
        f"the {placed.event.kind} fault at {placed.element or placed.fault.bus}: {by} has no short circuits"
        for placed in applied.faults
        if placed.event.start_s <= time_s and (placed.event.clear_s is None or time_s < placed.event.clear_s)
    ]


def check_plot(plot: Path) -> None:
    """Raises InputError where a picture could not be written."""
    if plot.suffix.lower() not in PLOT_FORMATS:
        message = f"a plot is written as {', '.join(PLOT_FORMATS)}"
        raise InputError([Problem(element="command line", field="--plot", value=str(plot), message=message)])
    if not plot.absolute().parent.is_dir():
        raise InputError([Problem(element=str(plot), field="", value="", message="its folder does not exist")])
    require(MATPLOTLIB, purpose="plotting")
