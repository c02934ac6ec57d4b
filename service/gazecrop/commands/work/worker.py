"""One worker: builds its parts, runs its consumers until the event `stop` is set, and closes everything."""

import asyncio
import logging
import math
from contextlib import AsyncExitStack, suppress
from functools import partial

from gazecrop.commands.work.consumer import Consumer
from gazecrop.commands.work.metrics import WorkMetrics
from gazecrop.commands.work.monitor import Monitor
from gazecrop.commands.work.pictures import Pictures
from gazecrop.commands.work.queue import Output, Queue
from gazecrop.commands.work.writers import writer
from gazecrop.engine import Engine, open_engine, sources_of
from gazecrop.errors import StoreAway
from gazecrop.jobs.stream import DEAD_LENGTH, Names
from gazecrop.keys import Keys
from gazecrop.metrics import Metrics
from gazecrop.settings import Settings
from gazecrop.sources.urls import parse_prefix
from gazecrop.store.redis_link import Link

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks at the length of the streams
WEBHOOKS_AT_ONCE = 16


async def work(settings: Settings, stop: asyncio.Event, name: str) -> None:
    """`name`: of this worker in the group. Raises GazecropError, ModelError, SettingsError and OSError at the start."""
    assert settings.redis_url and settings.work_stream
    metrics = Metrics()
    of_work = WorkMetrics(metrics.registry)
    keys = Keys([settings.metrics_key] if settings.metrics_key else [])
    async with AsyncExitStack() as stack:
        # No limit of the wait: no client holds a connection open for the answer to a job.
        engine = await open_engine(settings, metrics, max_wait=math.inf)
        stack.push_async_callback(engine.close)
        link = Link(settings.redis_url)
        stack.push_async_callback(link.close)
        sources = await stack.enter_async_context(sources_of(settings))
        streams, idle = Names.of(settings.work_stream), settings.work_idle_seconds
        dead = Output(streams.dead, {}, DEAD_LENGTH)
        results = Output(streams.results, {}, settings.work_results_length)
        webhooks = Output(streams.webhooks, {})
        to_webhook = "webhook" in settings.work_results
        sidecars = None
        if "object" in settings.work_results:
            opened = await stack.enter_async_context(writer("object").Sidecars())
            sidecars = opened.write
        jobs = Queue(link, streams.jobs, settings.work_group, name, idle)
        messages = Queue(link, webhooks.stream, settings.work_group, name, idle)
        pictures = Pictures(
            engine,
            sources,
            metrics,
            jobs=streams.jobs,
            prefixes=[url for url in map(parse_prefix, settings.sources) if url.scheme == "s3"],
            max_bytes=settings.max_bytes,
            results=results if "stream" in settings.work_results else None,
            webhooks=webhooks if to_webhook else None,
            sidecar=sidecars,
            passed=of_work.seconds.observe,
        )

        async def webhook_keeps_up() -> bool:
            return await messages.length() < settings.work_max_jobs

        consumers = {
            "jobs": Consumer(
                jobs,
                pictures,
                slots=slots(settings, engine),
                tries=settings.work_tries,
                dead=dead,
                count=partial(of_work.count, "jobs"),
                **({"may_read": webhook_keeps_up} if to_webhook else {}),
            )
        }
        queues = {"jobs": jobs}
        if to_webhook:
            module = writer("webhook")
            secrets = [secret.get_secret_value() for secret in settings.work_webhook_secrets]
            webhook = module.Webhook(settings.work_webhook, secrets)
            stack.push_async_callback(webhook.close)
            queues["webhooks"] = messages
            consumers["webhooks"] = Consumer(
                messages,
                webhook,
                slots=WEBHOOKS_AT_ONCE,
                tries=module.TRIES,
                dead=dead,
                count=partial(of_work.count, "webhooks"),
            )
        monitor = Monitor(settings.address, settings.work_port, metrics.render, keys)
        stack.callback(monitor.close)
        for queue, consumer in consumers.items():
            of_work.running.labels(queue).set_function(partial(_running, consumer))
        log.info("working on %s as %s, metrics on port %d", streams.jobs, name, monitor.port)
        watching = [
            asyncio.create_task(metrics.watch_loop()),
            asyncio.create_task(engine.maps.watch()),
            asyncio.create_task(_look(queues, of_work, monitor)),
        ]
        try:
            # The webhook's consumer may end first: its messages stay in their stream.
            await asyncio.gather(
                *(consumer.run(stop, settings.drain_seconds) for consumer in consumers.values())
            )
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        log.info("stopped")


def _running(consumer: Consumer) -> float:
    return consumer.running


def slots(settings: Settings, engine: Engine) -> int:
    """Jobs at once: two for each thread, so that one is fetched while another is decoded, and as many pictures of the
    largest size as the memory for bodies takes."""
    return max(1, min(2 * settings.workers, engine.budget.most_bodies // settings.max_bytes))


async def _look(queues: dict[str, Queue], metrics: WorkMetrics, monitor: Monitor) -> None:
    rounds = 0
    while True:
        monitor.beat()
        if rounds % round(LOOK_SECONDS) == 0:
            for name, queue in queues.items():
                with suppress(StoreAway):
                    metrics.waiting.labels(name).set(await queue.length())
        rounds += 1
        await asyncio.sleep(1.0)
