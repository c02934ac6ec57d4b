"""What a running server is made of. `app.py` builds it at start; the HTTP edge reads it from here."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from service.auth import Keys
from service.bodies import Bodies
from service.gate import Gate
from service.metrics import Metrics
from service.model import Model
from service.pipeline import Picture, Pipeline
from service.reports import Inbox, Turnstile
from service.settings import Settings
from service.store.memory import MapCache


@dataclass(slots=True)
class Parts:
    settings: Settings
    keys: Keys
    metrics: Metrics
    model: Model
    maps: MapCache[Picture]
    bodies: Bodies
    gate: Gate
    pipeline: Pipeline
    render_gate: Gate
    renderers: ThreadPoolExecutor
    id_key: bytes
    inbox: Inbox
    turnstile: Turnstile
    draining: bool = field(default=False)  # set at SIGTERM: not ready any more, what is under way goes on
