"""Three ways to show a run: live on a terminal, as plain lines, as the bench's own JSON lines."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live

from adms.cli.demo.scene import Scene, beat_of, move_of
from adms.cli.demo.screen import clock, draw

PLAIN_STATUS_S = 30.0
FRAMES_PER_SECOND = 8.0


class JsonDisplay:
    """Events as they are."""

    def say(self, text: str) -> None:
        """Nothing: stdout carries events only."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Nothing to hold."""
        yield

    def show(self, event: Mapping[str, Any]) -> None:
        """One line."""
        print(json.dumps(event), flush=True)


class PlainDisplay:
    """Lines for a file, a pipe, a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene = Scene()
        self._next_status_s = 0.0

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Nothing to hold."""
        yield

    def show(self, event: Mapping[str, Any]) -> None:
        """A line for each step of the story and each move, and the state every half feeder-minute."""
        self._scene.apply(event)
        if event.get("event") == "move":
            move = move_of(event)
            self.say(f"{clock(move.time_s)}  {move.app}: {move.device} {move.setpoint}: {move.reason}")
        elif event.get("event") == "scan":
            if self._scene.time_s >= self._next_status_s:
                self._next_status_s = self._scene.time_s + PLAIN_STATUS_S
                self.say(self._status())
        elif (beat := beat_of(event)) is not None:
            self.say(f"{clock(beat.time_s)}  {beat.text}")

    def _status(self) -> str:
        scene = self._scene
        parts = [f"{clock(scene.time_s)}  {scene.mode or 'no mode'}", f"estimate {scene.grade or 'none'}"]
        if scene.estimate_ms is not None:
            parts.append(f"{scene.estimate_ms:.1f} ms")
        for word, voltage in (("low", scene.lowest), ("high", scene.highest)):
            if voltage is not None:
                parts.append(f"{word} {voltage.v_pu:.4f} pu at {voltage.node}")
        if scene.losses_w is not None:
            parts.append(f"losses {scene.losses_w / 1e3:.1f} kW")
        if scene.import_w is not None:
            limit = "" if scene.import_max_w is None else f" of {scene.import_max_w / 1e3:.0f}"
            parts.append(f"import {scene.import_w / 1e3:.0f}{limit} kW")
        if scene.customers_off:
            parts.append(f"{scene.customers_off} customers off")
        return ", ".join(parts)


class LiveDisplay:
    """One picture that changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene = Scene()
        self._live = Live(draw(self._scene), console=console, auto_refresh=True, refresh_per_second=FRAMES_PER_SECOND)

    def say(self, text: str) -> None:
        """A line above the picture."""
        self._console.print(text, markup=False, style="dim")

    @contextmanager
    def running(self) -> Iterator[None]:
        """The picture is on the terminal."""
        with self._live:
            yield

    def show(self, event: Mapping[str, Any]) -> None:
        """Change the picture; the terminal follows at its own pace."""
        self._scene.apply(event)
        self._live.update(draw(self._scene), refresh=event.get("event") != "scan")


Display = JsonDisplay | PlainDisplay | LiveDisplay


def display_for(console: Console, *, as_json: bool) -> Display:
    """The display that suits where the output goes."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)
