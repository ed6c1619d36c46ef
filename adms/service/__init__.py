"""Composition: configuration, wiring and the process of the control service."""

import os

# Before numpy loads: matrices here are sparse and small, so BLAS threads only wait for each other (a cold scan took
# 1.5 s with them and 0.04 s without, on two busy cores), and one thread makes a run repeatable.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
