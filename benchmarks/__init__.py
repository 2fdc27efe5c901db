"""How fast it is: `python -m benchmarks [webhook|predict|reorder|footprint …] [--json]`."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before numpy, as `nextlabel` does
    os.environ.setdefault(_name, "1")
