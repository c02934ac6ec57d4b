"""The parts of a running server. `app.py` builds them at start; the HTTP layer uses them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gazecrop.concurrency.bodies import Bodies
from gazecrop.concurrency.budget import Budget
from gazecrop.concurrency.gate import Gate
from gazecrop.jobs.stream import Jobs
from gazecrop.keys import Keys
from gazecrop.metrics import Metrics
from gazecrop.model import Model
from gazecrop.pipeline import Picture, Pipeline
from gazecrop.settings import Settings
from gazecrop.sources.fetch import Sources
from gazecrop.store.inbox import Inbox
from gazecrop.store.memory import MapCache
from gazecrop.store.rate import ReportRate


@dataclass(slots=True)
class Parts:
    settings: Settings
    keys: Keys
    metrics_keys: Keys
    metrics: Metrics
    model: Model
    maps: MapCache[Picture]
    budget: Budget
    bodies: Bodies
    gate: Gate
    pipeline: Pipeline
    render_gate: Gate
    renderers: ThreadPoolExecutor
    id_key: bytes
    inbox: Inbox
    report_rate: ReportRate
    sources: Sources | None  # None: no picture is fetched by URL
    fetch_gate: Gate
    jobs: Jobs | None = None  # of GAZECROP_WORK_STREAM
    draining: bool = field(default=False)  # set at SIGTERM: /readyz answers 503, requests under way continue
