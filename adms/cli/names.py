"""Element names as people type them."""

from collections.abc import Iterable, Sequence

from adms.core.errors import InputError, Problem
from adms.core.near import NotFound, find_name
from adms.grid.model import NetworkModel
from adms.grid.state import GridState, switch_poles


def full_name(typed: str, *, known: Iterable[str], field: str) -> str:
    """The element id that a person means: `l67` is `line.l67` where only one element is called so.

    Raises InputError with near names for an unknown one and with the candidates for an ambiguous one.
    """
    found = find_name(typed, known=sorted(set(known)), what="element")
    if isinstance(found, NotFound):
        raise InputError([Problem(element="command line", field=field, value=typed, message=found.message)])
    return found


def moved(
    model: NetworkModel, grid: GridState, *, opened: Sequence[str], closed: Sequence[str]
) -> tuple[GridState, list[Problem]]:
    """Positions with the switches of `--open` opened and those of `--close` closed, all poles of a device together;
    and what is wrong with the names."""
    poles = switch_poles(model)
    problems: list[Problem] = []
    for field, names, to in (("--open", opened, False), ("--close", closed, True)):
        for name in names:
            try:
                for pole in poles[full_name(name, known=poles, field=field)]:
                    grid = grid.with_switch(pole, closed=to)
            except InputError as refused:
                problems += refused.problems
    return grid, problems
