"""Texts of decks that are put together in tests."""

from pathlib import Path

FOLDER = Path(__file__).parents[3] / "cases" / "opendss_exotic"
HEAD, LOADS, TAIL = ((FOLDER / f"{part}.dss").read_text() for part in ("head", "loads", "tail"))
DECKS = sorted(path.stem for path in FOLDER.glob("*.dss") if path.stem not in ("head", "loads", "tail"))
_EVERY_MODEL = "zipv=[.2 .3 .5 .1 .5 .4 0.5] cvrwatts=.7 cvrvars=2.4"


def of_load_model(model: int) -> str:
    """Loads of one of the engine's models, wye and delta, inside their limits, below and above them."""
    more = f"model={model} {_EVERY_MODEL}"
    return (
        HEAD
        + f"new load.x bus1=a.1.2.3 kv=12.47 kw=900 kvar=300 conn={'wye' if model % 2 else 'delta'} {more}\n"
        + f"new load.y bus1=a.1 phases=1 kv=6 kw=300 kvar=90 {more}\n"
        + f"new load.w bus1=a.2 phases=1 kv=8.5 kw=300 kvar=90 {more}\n"
        + f"new load.v bus1=a.3 phases=1 kv=10.5 kw=300 kvar=90 {more}\n"
        + TAIL
    )
