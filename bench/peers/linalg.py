"""Times LAPACK through numpy for bench/linalg.ts.

Reads one JSON request a line, {"op": "svd" | "values" | "eigh", "shapes": [[rows, cols], ...]}, and answers each with a line
{"ms": milliseconds for all of them, "cpuMs": processor time}. Matrices are made before the clock starts. The number of threads comes from
OPENBLAS_NUM_THREADS and its relatives.
"""

import json
import sys
import time

import numpy as np

random = np.random.default_rng(0)
made = {}


def matrix(rows, cols, symmetric):
    key = (rows, cols, symmetric)
    if key not in made:
        a = random.standard_normal((rows, cols))
        made[key] = a + a.T if symmetric else a
    return made[key]


OPERATIONS = {
    "svd": lambda a: np.linalg.svd(a, full_matrices=False),
    "values": lambda a: np.linalg.svd(a, compute_uv=False),
    "eigh": np.linalg.eigh,
}

print(json.dumps({"version": np.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    operation = OPERATIONS[request["op"]]
    matrices = [matrix(rows, cols, request["op"] == "eigh") for rows, cols in request["shapes"]]
    start, cpu = time.perf_counter(), time.process_time()
    for a in matrices:
        operation(a)
    answer = {"ms": (time.perf_counter() - start) * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3}
    print(json.dumps(answer), flush=True)
    if len(made) > 20:
        made.clear()
