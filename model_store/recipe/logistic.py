"""Logistic regression and its calibration error: numpy only."""

import numpy as np

BINS = 10  # of the reliability plot


def fit(
    x: np.ndarray, y: np.ndarray, ridge: float = 1e-3, *, intercept: bool = True
) -> tuple[list[float], float]:
    """Weights and intercept (0 without one) by 30 steps of Newton's method. x [n, features]; y [n], 0 to 1. `ridge`
    keeps it solvable."""
    design = np.concatenate([x, np.ones((len(x), 1))], 1) if intercept else x
    beta = np.zeros(design.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design / len(y) + ridge * np.eye(len(beta))
        beta -= np.linalg.solve(hessian, design.T @ (p - y) / len(y) + ridge * beta)
    found = [float(b) for b in beta]
    return (found[:-1], found[-1]) if intercept else (found, 0.0)


def reliability(p: np.ndarray, y: np.ndarray) -> tuple[list[list[float]], float]:
    """[[mean confidence, share that kept enough, count]] per non-empty bin, and the expected calibration error."""
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    rows = [
        [float(p[place == b].mean()), float(y[place == b].mean()), int((place == b).sum())]
        for b in range(BINS)
        if (place == b).any()
    ]
    return rows, float(sum(abs(mean - share) * count for mean, share, count in rows) / len(p))
