"""What all stages that train have in common: AdamW, a cosine, clipped gradients, averaged weights, checkpoints."""

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
    """Parameters by name: the `new` ones learn at `rate`, what came trained at the share `old` of it."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if new(name)], "lr": rate},
        {"params": [p for name, p in named if not new(name)], "lr": rate * old},
    ]


def of_decoder(name: str) -> bool:
    """The student's new parameters."""
    return name.startswith("decoder")


def cosine(adam: torch.optim.Optimizer, steps: int, warm: int) -> torch.optim.lr_scheduler.LambdaLR:
    """The rate rises over `warm` steps and falls to nothing at `steps`."""
    return torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min((k + 1) / warm, 0.5 + 0.5 * float(np.cos(np.pi * min(k / steps, 1.0))))
    )


def averager(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """The exponential mean of a network's weights; it forgets the untrained start faster than `decay` would."""

    def mean(averages: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averages, current, 1 - keep)

    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=mean)


def cores(threads: int) -> ThreadPoolExecutor:
    """As many workers, torch with one thread in each."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


class Learner:
    """A network while it learns. The mean of its weights is what is judged and kept."""

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
        """One step down the gradient of a batch's mean loss: of `count` pictures, `loss` gives that of a part.

        Each core has its own part. torch's own threads wait for each other in every layer: beside other work a
        transformer's step took 29 s with two of them, 7 s in two parts.
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
        """The epochs that are still to do. After each the mean is judged and a checkpoint written to `resume`, from
        which a stopped training goes on."""
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
            torch.save({key: part.state_dict() for key, part in parts.items()} | {"log": self.log}, resume)
