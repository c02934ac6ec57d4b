"""The work on a Ray cluster, as operators of Ray Data: decode, infer, answer. A worker that dies is replaced and its
blocks are repeated; the driver writes the answers, as it does without a cluster.

Every machine needs gazecrop, and the pictures and the folder of cropped files under the same paths.
"""

import logging
import os
import pickle
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gazecrop.commands.batch.work import Job, answer, decode_one, infer
from gazecrop.console.sources import Item
from gazecrop.model import Model

BATCH = 16  # pictures in a block: 0.4 s of work, repeated when a worker dies
Columns = dict[str, Any]


class NoRay(Exception):
    """The text is for the user."""


def lines(job: Job, items: Sequence[Item], address: str) -> Generator[tuple[int, bytes], None, None]:
    """(place in `items`, JSON line), in any order. `address`: of the cluster, or "local" for a new one on this
    machine. Raises NoRay, and any exception of a worker."""
    # Ray prints internal states and restarts as errors; what fails is in the results. And it reports its use to its
    # maker. Both are read at its import.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise NoRay("--ray needs Ray: install the extra [ray]") from None

    with _quiet():
        ray.init(address, log_to_driver=False, logging_level="error")
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # `command` prints the progress
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        resources = ray.cluster_resources()
        gpus = 0 if job.settings.device == "cpu" else int(resources.get("GPU", 0))
        actors = ray.data.ActorPoolStrategy(min_size=1, max_size=gpus or max(1, int(resources["CPU"])))
        rows = [{"place": place, "item": pickle.dumps(item)} for place, item in enumerate(items)]
        answers = (
            ray.data.from_items(rows, override_num_blocks=-(-len(rows) // BATCH))
            .map_batches(_decode, fn_args=(job, Model.load(job.settings).shapes), batch_size=BATCH)
            .map_batches(
                _Infer,
                fn_constructor_args=(job,),
                batch_size=BATCH,
                compute=actors,
                num_gpus=1 if gpus else None,
            )
            .map_batches(_answer, fn_args=(job,), batch_size=BATCH)
        )
        for batch in answers.iter_batches(batch_size=None, prefetch_batches=0):
            yield from zip(batch["place"].tolist(), batch["line"].tolist(), strict=True)
    finally:
        ray.shutdown()


@contextmanager
def _quiet() -> Iterator[None]:
    """Sends the standard error of Ray's C++ code to nowhere: it announces its log level there."""
    before = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _decode(batch: Columns, job: Job, shapes: Sequence[tuple[int, int]]) -> Columns:
    items = map(pickle.loads, batch["item"])
    return batch | {"seen": _pickled(decode_one(item, job, shapes) for item in items)}


class _Infer:
    """An actor, which loads the network once."""

    def __init__(self, job: Job) -> None:
        self._model = Model.load(job.settings)

    def __call__(self, batch: Columns) -> Columns:
        return batch | {"seen": _pickled(infer([pickle.loads(each) for each in batch["seen"]], self._model))}


def _answer(batch: Columns, job: Job) -> Columns:
    pairs = zip(map(pickle.loads, batch["item"]), map(pickle.loads, batch["seen"]), strict=True)
    return {"place": batch["place"], "line": np.array([answer(*pair, job) for pair in pairs], object)}


def _pickled(values: Any) -> Any:
    return np.array([pickle.dumps(value) for value in values], object)
