"""Singular values and eigenvalues by LAPACK (numpy), for tests/linalg/golden.test.ts.

Run: python3 tests/linalg/golden/make.py
Elements are quotients of small integers or powers of two, so that both languages build the same bits.
"""

import json
import pathlib

import numpy as np


def build(rows, cols, element):
    return np.array([[element(i, j) for j in range(cols)] for i in range(rows)], dtype=np.float64)


def wilkinson(i, j):
    return abs(i - 30) if i == j else float(abs(i - j) == 1)


def glued(i, j):
    if i == j:
        return abs(i % 15 - 7)
    if abs(i - j) != 1:
        return 0.0
    return 2.0**-36 if max(i, j) % 15 == 0 else 1.0


MATRICES = {
    "pseudorandom": build(70, 70, lambda i, j: ((i * 7919 + j * 104729 + i * j * 31) % 1009 - 504) / 504),
    "tall": build(120, 40, lambda i, j: ((i * i * 17 + j * 331 + i * j) % 257 - 128) / 128),
    "wide": build(35, 90, lambda i, j: ((i * 53 + j * j * 29 + i * i * j) % 127 - 63) / 64),
    "hilbert": build(40, 40, lambda i, j: 1 / (i + j + 1)),
    "graded": build(48, 48, lambda i, j: 2.0 ** -(2 * j) * (((i * 37 + j * 101 + i * j) % 61) - 30)),
    "low rank": build(50, 45, lambda i, j: float(i % 4 * (j % 5) - (i % 3) * (j % 2))),
    "wilkinson": build(61, 61, wilkinson),
    "glued": build(75, 75, glued),
    "second difference": build(64, 64, lambda i, j: 2.0 if i == j else -float(abs(i - j) == 1)),
}

golden = {
    name: {
        "singularValues": np.linalg.svd(a, compute_uv=False).tolist(),
        **({"eigenvalues": np.linalg.eigvalsh(a)[::-1].tolist()} if np.array_equal(a, a.T) else {}),
    }
    for name, a in MATRICES.items()
}
path = pathlib.Path(__file__).with_name("lapack.json")
path.write_text(json.dumps(golden, indent=1) + "\n")
print(path.name, path.stat().st_size, "bytes, numpy", np.__version__)
