"""The scene on a terminal, drawn with rich. Nothing here decides anything."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adms.cli.demo.scene import Scene, Voltage

BAR_CELLS = 36
GRADE_STYLE = {"solved": "green", "partial": "yellow", "inconsistent": "red", "failed": "red"}


def draw(scene: Scene) -> RenderableType:
    """The whole picture."""
    return Group(_header(scene), _feeder(scene), _moves(scene), _story(scene))


def clock(seconds: float) -> str:
    """Feeder seconds as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def _header(scene: Scene) -> RenderableType:
    line = Text()
    line.append(f" {clock(scene.time_s)} of {clock(scene.duration_s)} ", style="bold reverse")
    line.append("  mode ")
    line.append(scene.mode or "-", style="bold green" if scene.mode == "control" else "bold yellow")
    line.append("  estimate ")
    line.append(scene.grade or "-", style=GRADE_STYLE.get(scene.grade, "dim"))
    if scene.estimate_ms is not None:
        line.append(f" in {scene.estimate_ms:.1f} ms")
    if not scene.service_up:
        line.append("  SERVICE DOWN ", style="bold white on red")
    return line


def _feeder(scene: Scene) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("lowest voltage", _voltage(scene.lowest), "losses", _kilowatts(scene.losses_w))
    off = "-" if scene.customers_off is None else str(scene.customers_off)
    style = "bold red" if scene.customers_off else ""
    grid.add_row("highest voltage", _voltage(scene.highest), "customers off", Text(off, style=style))
    rows: list[RenderableType] = [grid, _interface(scene)]
    return Panel(Group(*rows), title=scene.feeder or "feeder", title_align="left")


def _voltage(voltage: Voltage | None) -> Text:
    if voltage is None:
        return Text("-", style="dim")
    return Text(f"{voltage.v_pu:.4f} pu at {voltage.node}", style="" if voltage.within else "bold red")


def _kilowatts(power_w: float | None) -> str:
    return "-" if power_w is None else f"{power_w / 1e3:,.1f} kW"


def _interface(scene: Scene) -> Text:
    line = Text("import  ")
    if scene.import_w is None:
        return line.append("-", style="dim")
    limit = scene.import_max_w
    scale = max(scene.import_peak_w, limit or 0.0, 1.0) * 1.05
    filled = min(BAR_CELLS, round(max(scene.import_w, 0.0) / scale * BAR_CELLS))
    mark = None if limit is None else min(BAR_CELLS - 1, round(limit / scale * BAR_CELLS))
    over = limit is not None and scene.import_w > limit
    for cell in range(BAR_CELLS):
        if cell == mark:
            line.append("│", style="bold yellow")
        elif cell < filled:
            line.append("█", style="red" if over else "green")
        else:
            line.append("·", style="dim")
    line.append(f"  {_kilowatts(scene.import_w)}")
    if limit is not None:
        line.append(f" of {_kilowatts(limit)} allowed", style="bold red" if over else "yellow")
    return line


def _moves(scene: Scene) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for move in scene.moves:
        reason = Text(move.reason, style="dim", no_wrap=True, overflow="ellipsis")
        table.add_row(clock(move.time_s), move.app, Text(move.device, style="bold"), move.setpoint, reason)
    return Panel(table if scene.moves else Text("none yet", style="dim"), title="moves, and why", title_align="left")


def _story(scene: Scene) -> RenderableType:
    lines = Text()
    for beat in scene.beats:
        lines.append(f"{clock(beat.time_s)}  ", style="dim")
        lines.append(f"{beat.text}\n", style="bold" if beat.strong else "")
    lines.rstrip()
    return Panel(lines if scene.beats else Text("all quiet", style="dim"), title="what happened", title_align="left")
