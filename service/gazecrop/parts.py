"""What a running server is made of. `app.py` builds it at start; the HTTP edge reads it from here."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gazecrop.concurrency.bodies import Bodies
from gazecrop.concurrency.gate import Gate
from gazecrop.keys import Keys
from gazecrop.metrics import Metrics
from gazecrop.model import Model
from gazecrop.pipeline import Picture, Pipeline
from gazecrop.settings import Settings
from gazecrop.store.inbox import Inbox, Turnstile
from gazecrop.store.memory import MapCache


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
