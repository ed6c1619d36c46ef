"""Hardware-in-the-loop bench: physics, meters, devices and a referee of its own. It knows the service only through
its gRPC API (`adms.client`)."""

import os

# Before numpy loads: the bench and the service share the cores.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
