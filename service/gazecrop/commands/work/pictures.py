"""The work on one job: its picture through the service's pipeline, its document to where results go."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

from gazecrop.commands.work.consumer import Done
from gazecrop.commands.work.queue import Entry, Output
from gazecrop.engine import Engine
from gazecrop.errors import (
    BodyTooLarge,
    GazecropError,
    NotAPicture,
    PictureError,
    RequestError,
    SourceFailed,
    SourceNotAllowed,
    SourceTooSlow,
    StoreAway,
)
from gazecrop.http.not_pictures import explain_mistake
from gazecrop.jobs.events import SIDECAR, created, jobs_of
from gazecrop.jobs.job import EVENT, Job, own_id, parse_job
from gazecrop.metrics import Metrics, Stages
from gazecrop.pipeline import image_document
from gazecrop.sources.fetch import Sources
from gazecrop.sources.urls import Url

_PASSING = {408, 425, 429}  # statuses of a source, beside 5xx, that another try may not get
REFUSED = "refused"
Sidecar = Callable[[Url, bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`document`: as POST /v1/images answers with this status; of an error its problem document."""

    status: int
    document: bytes

    @classmethod
    def of(cls, error: GazecropError) -> "Answer":
        return cls(error.status, orjson.dumps(error.problem()))


class Pictures:
    """results: the stream of results, or None; webhooks: that of messages for the webhook, or None. sidecar: writes an
    answer beside an object, or None."""

    def __init__(
        self,
        engine: Engine,
        sources: Sources,
        metrics: Metrics,
        *,
        jobs: str,
        prefixes: Sequence[Url],
        max_bytes: int,
        results: Output | None,
        webhooks: Output | None,
        sidecar: Sidecar | None,
        passed: Callable[[float], object],
    ) -> None:
        """jobs: the stream that the jobs of an event are added to. passed: called with the seconds of each job."""
        self._engine, self._sources, self._metrics = engine, sources, metrics
        self._jobs, self._prefixes, self._max_bytes = jobs, prefixes, max_bytes
        self._results, self._webhooks, self._sidecar = results, webhooks, sidecar
        self._passed = passed

    async def __call__(self, entry: Entry) -> Done:
        """Raises what another try may not meet."""
        began = time.perf_counter()
        job: Job | None = None
        try:
            if EVENT in entry.fields:
                return self._split(entry.fields[EVENT])
            job = parse_job(entry.fields)
            answer = await self._answer(job)
        except GazecropError as error:
            if not _is_final(error):
                raise
            if isinstance(error, PictureError):
                self._metrics.decode_error(error.slug)
            answer = Answer.of(error)
        if self._sidecar and job and job.object and not job.object.path.endswith(SIDECAR):
            await self._sidecar(job.object, answer.document)
        self._passed(time.perf_counter() - began)
        return Done("done" if answer.status < 400 else REFUSED, self._outputs(entry, job, answer))

    def _split(self, event: bytes) -> Done:
        found = jobs_of(created(event), self._prefixes)
        return Done("split", [Output(self._jobs, fields) for fields in found])

    async def _answer(self, job: Job) -> Answer:
        engine, stages = self._engine, Stages(self._metrics)
        data = job.image
        if data is None:
            with stages.time("read"):
                data = await self._sources.fetch(job.object or job.url)
        if len(data) > self._max_bytes:
            raise BodyTooLarge.of_picture(self._max_bytes)
        engine.budget.hold_bodies(len(data))
        try:
            known, new = await engine.pipeline.upload(engine.identify(data), data, stages, None)
        except NotAPicture as error:
            raise explain_mistake(data) or error from None
        finally:
            engine.budget.hold_bodies(-len(data))
        if known.degraded:  # the map is only in this process, and the service could not answer its crops
            raise StoreAway("The store did not take the map.")
        grid = known.picture.cropper.grid
        self._metrics.input_megapixels.observe(grid.width * grid.height / 1e6)
        with stages.time("crop"):
            crops = await engine.pipeline.crops_aside(known, job.wanted)
        return Answer(201 if new else 200, orjson.dumps(image_document(known, crops)))

    def _outputs(self, entry: Entry, job: Job | None, answer: Answer) -> list[Output]:
        source = (job.source if job else "").encode("utf-8", "replace")
        result = {
            b"job": entry.id.encode(),
            b"id": own_id(entry.fields).encode(),
            b"source": source,
            b"status": str(answer.status).encode(),
            b"document": answer.document,
        }
        return [
            Output(place.stream, result, place.longest) for place in (self._results, self._webhooks) if place
        ]


def _is_final(error: GazecropError) -> bool:
    """Whether another try would fail in the same way."""
    if isinstance(error, SourceTooSlow):
        return False
    if isinstance(error, SourceFailed):
        status = error.members.get("received")
        return isinstance(status, int) and status < 500 and status not in _PASSING
    return isinstance(error, PictureError | RequestError | SourceNotAllowed)
