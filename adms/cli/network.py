"""`adms import` and `adms powerflow`: models without a service."""

import json
from pathlib import Path
from typing import Any

from adms.cli.exits import ExitCode
from adms.cli.extras import OPENDSS, require
from adms.cli.names import full_name
from adms.core.errors import InputError, Problem
from adms.core.ids import ElementId
from adms.grid.model import NetworkModel
from adms.grid.state import GridState


def import_model(source: Path, *, overlay: Path | None, output: Path, as_json: bool) -> ExitCode:
    """Import, write and say what came over."""
    model, version = convert(source, overlay=overlay, output=output)
    counts = {
        "buses": len(model.buses),
        "sources": len(model.sources),
        "branches": len(model.branches),
        "switches": sum(branch.switch is not None for branch in model.branches),
        "loads": len(model.loads),
        "ders": len(model.ders),
    }
    if as_json:
        print(json.dumps({"model": str(output), "version": version, **counts, "notes": list(model.notes)}))
    else:
        print(f"{output}: {model.name}, " + ", ".join(f"{count} {name}" for name, count in counts.items()))
        print(f"version {version}")
        for note in model.notes:
            print(f"note: {note}")
    return ExitCode.OK


def convert(source: Path, *, overlay: Path | None, output: Path) -> tuple[NetworkModel, str]:
    """Import a deck with its overlay and write the model file; raises InputError with every problem."""
    inputs = [path for path in (source, overlay) if path is not None]
    absent = [path for path in inputs if not path.is_file()]
    problems = [Problem(element=str(path), field="", value="", message="no such file") for path in absent]
    if not output.absolute().parent.is_dir():
        problems.append(Problem(element=str(output), field="", value="", message="its folder does not exist"))
    if source.suffix.lower() != ".dss":
        problems.append(Problem(element=str(source), field="", value="", message="only OpenDSS decks (.dss) are read"))
    if problems:
        raise InputError(problems)
    require(OPENDSS, purpose="reading an OpenDSS deck")
    from adms.adapters.importers.opendss import import_opendss
    from adms.adapters.model_file import save_model

    model = import_opendss(source, overlay=overlay)
    return model, save_model(model, output)


def power_flow(file: Path, *, opened: tuple[str, ...], closed: tuple[str, ...], as_json: bool) -> ExitCode:
    """Solve and print; exit code 1 where there is no solution."""
    from adms.adapters.model_file import load_model
    from adms.grid.arrays import NetworkArrays
    from adms.powerflow.factor import NotSolved
    from adms.powerflow.solve import solve_power_flow

    model, version = load_model(file)
    grid = _positions(model, opened=opened, closed=closed)
    arrays = NetworkArrays(model, version=version)
    flow = solve_power_flow(arrays, grid, s_nominal_va=arrays.injector_s_nominal_va)
    if isinstance(flow, NotSolved):
        if as_json:
            print(json.dumps({"converged": False, "iterations": flow.iterations, "reason": flow.reason}))
        else:
            print(f"not solved: {flow.reason}")
        return ExitCode.FAILED
    nodes: list[dict[str, Any]] = []
    for row, node in enumerate(arrays.nodes):
        phasor = complex(flow.v_phasor_pu[row])
        live = bool(flow.energised[row])
        nodes.append(
            {
                "bus": node.bus,
                "phase": str(node.phase),
                "v_v": abs(phasor) * float(arrays.v_base_v[row]),
                "v_pu": abs(phasor),
                "angle_rad": _angle(phasor) if live else None,
                "energised": live,
            }
        )
    result = {
        "converged": True,
        "iterations": flow.iterations,
        "p_source_w": float(flow.s_source_va.real.sum()),
        "q_source_var": float(flow.s_source_va.imag.sum()),
        "losses_w": flow.losses_w,
        "sources": [
            {"source": source.id, "p_w": float(s.real), "q_var": float(s.imag)}
            for source, s in zip(model.sources, flow.s_source_va, strict=True)
        ],
        "nodes": nodes,
    }
    if as_json:
        print(json.dumps(result))
    else:
        _print_flow(result, name=model.name)
    return ExitCode.OK


def _angle(phasor: complex) -> float:
    from cmath import phase

    return phase(phasor)


def _positions(model: NetworkModel, *, opened: tuple[str, ...], closed: tuple[str, ...]) -> GridState:
    from adms.grid.state import normal_state

    grid = normal_state(model)
    problems: list[Problem] = []
    for field, names, to in (("--open", opened, False), ("--close", closed, True)):
        for name in names:
            try:
                grid = grid.with_switch(ElementId(full_name(name, known=grid.closed, field=field)), closed=to)
            except InputError as refused:
                problems += refused.problems
    if problems:
        raise InputError(problems)
    return grid


def _print_flow(result: dict[str, Any], *, name: str) -> None:
    live = [node for node in result["nodes"] if node["energised"]]
    low, high = min(live, key=lambda node: node["v_pu"]), max(live, key=lambda node: node["v_pu"])
    print(f"{name}: solved in {result['iterations']} steps, {len(live)} of {len(result['nodes'])} nodes energised")
    print(f"sources deliver {result['p_source_w'] / 1e3:.1f} kW, {result['q_source_var'] / 1e3:.1f} kvar")
    print(f"losses {result['losses_w'] / 1e3:.2f} kW")
    for word, node in (("lowest", low), ("highest", high)):
        print(f"{word} voltage {node['v_pu']:.4f} pu at {node['bus']}.{node['phase']}")
