"""Golden values of the statistics, by SciPy: python3 make.py > statistics.json"""

import json

import numpy as np
from scipy import special, stats

rng = np.random.default_rng(7)

p = [
    {"t": t, "df": df, "p": float(2 * stats.t.sf(abs(t), df))}
    for df in (1, 2, 3.7, 4, 9.25, 30, 1000)
    for t in (0.0, 1e-3, -0.5, 1.0, 2.776, -4.3, 12.7, 60.0)
]
beta = [
    {"x": x, "a": a, "b": b, "value": float(special.betainc(a, b, x))}
    for a, b in ((0.5, 0.5), (1, 3), (2.5, 0.5), (40, 0.5), (7, 11))
    for x in (1e-6, 0.1, 0.5, 0.9, 0.999)
]
gamma = [{"x": x, "value": float(special.gammaln(x))} for x in (0.1, 0.5, 1, 1.5, 2, 3.3, 10, 171.5, 5000)]


def samples():
    for n, m, shift, spread in ((3, 3, 0.0, 1.0), (3, 3, 1.0, 0.2), (5, 5, 0.3, 1.0), (4, 7, 0.5, 3.0)):
        a = np.round(rng.normal(0.9, 0.01, n), 4)
        b = np.round(rng.normal(0.9 + 0.01 * shift, 0.01 * spread, m), 4)
        yield a, b


tests = []
for a, b in samples():
    welch = stats.ttest_ind(a, b, equal_var=False)
    entry = {
        "a": a.tolist(),
        "b": b.tolist(),
        "standardError": float(stats.sem(a)),
        "welch": {"t": float(welch.statistic), "df": float(welch.df), "p": float(welch.pvalue)},
    }
    if len(a) == len(b):
        paired = stats.ttest_rel(a, b)
        entry["paired"] = {"t": float(paired.statistic), "df": float(paired.df), "p": float(paired.pvalue)}
    tests.append(entry)

blocks = []
for arms, seeds in ((2, 3), (4, 3), (7, 5)):
    table = np.round(0.9 + 0.01 * rng.normal(size=(arms, seeds)) + 0.01 * rng.normal(size=(1, seeds)), 4)
    # Least squares on indicators of arms and, but for the first, of seeds.
    arm, seed = [index.ravel() for index in np.indices(table.shape)]
    x = np.hstack([np.eye(arms)[arm], np.eye(seeds)[seed][:, 1:]])
    fitted, residual, rank, _ = np.linalg.lstsq(x, table.ravel(), rcond=None)
    df = table.size - rank
    contrast = np.zeros(x.shape[1])
    contrast[:2] = 1, -1
    error = np.sqrt(residual[0] / df * contrast @ np.linalg.inv(x.T @ x) @ contrast)
    t = contrast @ fitted / error
    blocks.append(
        {"table": table.tolist(), "t": float(t), "df": int(df), "p": float(2 * stats.t.sf(abs(t), df))}
    )

print(json.dumps({"p": p, "beta": beta, "gamma": gamma, "tests": tests, "blocks": blocks}, indent=1))
