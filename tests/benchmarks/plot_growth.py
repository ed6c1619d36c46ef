"""Draws the growth of a solve from a report of the benchmarks:

pytest tests/benchmarks/test_growth.py --benchmark-enable --benchmark-json=growth.json
python tests/benchmarks/plot_growth.py growth.json growth.png
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def main(report: Path, picture: Path) -> None:
    """Times over nodes, both logarithmic, with the bound n^1.15 through the first point."""
    runs = json.loads(report.read_text())["benchmarks"]
    found = next(run["extra_info"] for run in runs if "nodes" in run["extra_info"])
    nodes = found["nodes"]
    figure, axes = pyplot.subplots()
    for name in ("after a change", "anew"):
        taken = found[name.replace(" ", "_") + "_ms"]
        axes.loglog(nodes, taken, marker="o", label=f"{name}: n^{found[name]:.2f}")
    first = found["after_a_change_ms"][0]
    axes.loglog(nodes, [first * (n / nodes[0]) ** 1.15 for n in nodes], linestyle=":", label="n^1.15")
    axes.set_xlabel("nodes")
    axes.set_ylabel("ms a solve")
    axes.legend()
    figure.savefig(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
