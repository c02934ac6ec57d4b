"""The training loop of all stages: AdamW, a cosine schedule, clipped gradients, averaged weights, checkpoints."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def groups(network: nn.Module, new: Callable[[str], bool], rate: float, old: float) -> list[dict[str, Any]]:
    """Two groups of parameters: the `new` ones (by name) learn at `rate`, the pre-trained ones at `rate * old`."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if new(name)], "lr": rate},
        {"params": [p for name, p in named if not new(name)], "lr": rate * old},
    ]


def of_heads(name: str) -> bool:
    """Whether a parameter of the student is in its decoder or its detector, which are not pre-trained."""
    return name.startswith(("decoder", "objects"))


def cosine(adam: torch.optim.Optimizer, steps: int, warm: int) -> torch.optim.lr_scheduler.LambdaLR:
    """The rate rises over `warm` steps and then follows a cosine to 0 at `steps`."""
    return torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min((k + 1) / warm, 0.5 + 0.5 * float(np.cos(np.pi * min(k / steps, 1.0))))
    )


def averager(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """The exponential mean of a network's weights, with less weight on the untrained start than `decay` would give."""

    def mean(averages: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averages, current, 1 - keep)

    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=mean)


def cores(threads: int) -> ThreadPoolExecutor:
    """A pool of `threads` workers, in each of which torch uses one thread."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


class Learner:
    """A network in training. The network of averaged weights, `mean`, is the one that is scored and kept."""

    def __init__(
        self,
        network: nn.Module,
        parameters: list[dict[str, Any]],
        *,
        steps: int,
        warm: int,
        decay: float,
        average: float,
        threads: int = 1,
    ) -> None:
        self.network, self.threads = network, threads
        self.adam = torch.optim.AdamW(parameters, weight_decay=decay)
        self.schedule = cosine(self.adam, steps, warm)
        self.averaged = averager(network, average)
        self.log: list[dict[str, Any]] = []
        self.cores = cores(threads)
        network.train()

    @property
    def mean(self) -> nn.Module:
        """The network of averaged weights."""
        return self.averaged.module

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a scalar loss."""
        self.adam.zero_grad()
        loss.backward()
        self._descend()

    def share(self, loss: Callable[[slice], Tensor], count: int) -> None:
        """One step down the gradient of the mean loss of a batch of `count` pictures; `loss` computes that of a part.

        Each core computes one part. torch's own threads wait for each other in every layer: on a machine with other
        load, a transformer's step took 29 s with two such threads and 7 s in two parts.
        """
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        ends = [round(count * k / self.threads) for k in range(self.threads + 1)]
        parts = [slice(*both) for both in pairwise(ends) if both[0] < both[1]]

        def of(part: slice) -> tuple[Tensor, ...]:
            return torch.autograd.grad(loss(part) * ((part.stop - part.start) / count), learning)

        found = list(self.cores.map(of, parts))
        for parameter, *each in zip(learning, *found, strict=True):
            parameter.grad = sum(each[1:], each[0])
        self._descend()

    def _descend(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.adam.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)

    def epochs(
        self, count: int, resume: Path, judge: Callable[[nn.Module], dict[str, float]], name: str
    ) -> Iterator[int]:
        """The numbers of the epochs that are left. After each, `judge` scores the mean, and a checkpoint is written to
        `resume`, from which a training that was stopped continues."""
        parts = {
            "network": self.network,
            "averaged": self.averaged,
            "adam": self.adam,
            "schedule": self.schedule,
        }
        if resume.exists():
            stored = torch.load(resume, weights_only=False)
            for key, part in parts.items():
                part.load_state_dict(stored[key])
            self.log = stored["log"]
        started = time.time() - (self.log[-1]["seconds"] if self.log else 0)
        for epoch in range(len(self.log), count):
            self.network.train()
            yield epoch
            self.log.append(
                {"epoch": epoch + 1, "seconds": round(time.time() - started), **judge(self.mean.eval())}
            )
            print(name, json.dumps(self.log[-1]), flush=True)
            draft = resume.with_suffix(".draft")  # a stop while it is written must not cost the training
            torch.save({key: part.state_dict() for key, part in parts.items()} | {"log": self.log}, draft)
            draft.replace(resume)
