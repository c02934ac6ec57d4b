"""The metrics of a worker, beside those of the pipeline that the service has, too."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gazecrop.metrics import SECONDS

QUEUES = {"jobs": ("done", "refused", "split", "retried", "dead"), "webhooks": ("done", "retried", "dead")}


class WorkMetrics:
    """queue: jobs or webhooks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._entries = Counter(
            "gazecrop_work_entries",
            "Tries of jobs and of messages to the webhook. refused: answered with an error document; split: an event "
            "that became jobs; dead: became a dead letter",
            ("queue", "result"),
            registry=registry,
        )
        for queue, results in QUEUES.items():
            for result in results:
                self._entries.labels(queue, result)
        self.seconds = Histogram(
            "gazecrop_work_seconds",
            "One job, from its start to its answer, the fetch of its picture included",
            registry=registry,
            buckets=SECONDS,
        )
        self.running = Gauge(
            "gazecrop_work_running", "Entries that this worker works on", ("queue",), registry=registry
        )
        self.waiting = Gauge(
            "gazecrop_work_waiting",
            "Entries of the stream that wait or are worked on by any worker, asked for every five seconds",
            ("queue",),
            registry=registry,
        )

    def count(self, queue: str, result: str) -> None:
        self._entries.labels(queue, result).inc()
