"""The configuration of the demonstration's service: the reference that comes with the service, with a few keys set."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from adms.cli.configuration import Values, reference_with

CONFIGURATION_FILE = "service.toml"
MODEL_FILE = "model.json"
STATE_FOLDER = "state"

FLAT = """
# The customers of the demonstration draw the same at every hour.
[[class_profile]]
name = "unknown"
weekday = { mean_frac = 1.0 }
"""


def write_configuration(folder: Path, *, listen: str, feeder: Mapping[str, Any]) -> Path:
    """Write the service's configuration into the folder of a run.

    Args:
        folder: of the run; the model file is in it.
        listen: HOST:PORT for gRPC.
        feeder: what `python -m hil feeder` says: name, pace and load statistics, which are the service's priors. Its
            customers know no time of day, and all that is their own comes and goes within minutes; its meters are read
            at one instant.
    """
    values: Values = {
        ("service", "name"): str(feeder["name"]),
        ("service", "listen"): listen,
        ("service", "metrics_listen"): "127.0.0.1:0",
        ("service", "model_file"): MODEL_FILE,
        ("service", "state_folder"): STATE_FOLDER,
        ("service", "simulation"): True,
        ("round", "period_s"): float(feeder["period_s"]),
        ("estimation", "load_factor_mean"): float(feeder["load_factor_mean"]),
        ("estimation", "load_sigma_frac"): float(feeder["load_sigma_frac"]),
        ("forecast", "own_level_share"): 0.0,
        ("forecast", "own_fast_tau_s"): float(feeder["load_correlation_s"]),
        ("ageing", "skew_s"): 0.0,
    }
    path = folder / CONFIGURATION_FILE
    path.write_text(reference_with(values) + FLAT)
    return path


def set_earlier_run_aside(folder: Path) -> Path | None:
    """Rename the journal and state that an earlier run left in a folder, so that this run starts at its own beginning
    and nothing is lost; the new name, None where there was none."""
    state = folder / STATE_FOLDER
    if not state.exists():
        return None
    number = next(n for n in count(1) if not (folder / f"{STATE_FOLDER}-{n}").exists())
    return state.rename(folder / f"{STATE_FOLDER}-{number}")
