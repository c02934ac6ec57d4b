"""The losses of all stages, on log densities; shapes [n, rows, columns] -> [n]."""

import torch
from torch import Tensor


def divergence(log_p: Tensor, q: Tensor) -> Tensor:
    """KL(q || p) per picture, in nats."""
    return (q * (torch.log(q + 1e-9) - log_p)).sum((1, 2))


def correlation(log_p: Tensor, q: Tensor) -> Tensor:
    """Pearson's correlation of both densities (CC) per picture."""
    p = log_p.exp()
    p = p - p.mean((1, 2), keepdim=True)
    q = q - q.mean((1, 2), keepdim=True)
    return (p * q).sum((1, 2)) / (p.square().sum((1, 2)) * q.square().sum((1, 2))).clamp_min(1e-20).sqrt()


def scanpath(log_p: Tensor, q: Tensor) -> Tensor:
    """NSS of p per picture, as the expectation under the human density q instead of the mean over fixations."""
    p = log_p.exp()
    deviation = p.std((1, 2)).clamp_min(1e-12)
    return (q * (p - p.mean((1, 2), keepdim=True))).sum((1, 2)) / deviation


def gaze_loss(log_p: Tensor, q: Tensor, nss: float = 0.3) -> Tensor:
    """KL - CC - nss x NSS per picture; 0.3 was chosen by folds of "train" (folds.py)."""
    return divergence(log_p, q) - correlation(log_p, q) - nss * scanpath(log_p, q)
