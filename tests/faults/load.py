"""Clients that upload and read all the time, and note every answer."""

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType

import httpx

from tests.helpers.contract import until
from tests.helpers.pictures import jpeg

PICTURE = jpeg(160, 120)


@dataclass
class Load:
    """`url`: of a server or of a proxy. `patient`: a 503 with Retry-After is tried again, as clients should."""

    url: str
    threads: int = 4
    patient: bool = False
    answers: Counter[str] = field(default_factory=Counter)  # "POST 201" -> count
    broken: list[str] = field(default_factory=list)  # requests without an answer
    kept: list[str] = field(default_factory=list)  # ids of uploads that were answered
    _stop: threading.Event = field(default_factory=threading.Event)
    _workers: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Load":
        self._workers = [threading.Thread(target=self._work) for _ in range(self.threads)]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.join(60)

    def run(self, seconds: float) -> None:
        """Lets it go on for a while, and until each client had some answers."""
        before = sum(self.answers.values())
        time.sleep(seconds)
        until(lambda: sum(self.answers.values()) - before >= 4 * self.threads, 60)

    @property
    def errors(self) -> int:
        """Answers of 500 and more."""
        return sum(count for name, count in self.answers.items() if int(name.split()[1]) >= 500)

    @property
    def failures(self) -> str:
        """What failed and how often, for the table."""
        bad = Counter(self.broken)
        bad += Counter({name: n for name, n in self.answers.items() if int(name.split()[1]) >= 500})
        kinds = ", ".join(f"{name} x{count}" for name, count in bad.most_common(4))
        return f"{bad.total()} failed" + (f" ({kinds})" if kinds else "")

    def lost(self, *urls: str, at_most: int = 400) -> int:
        """How many of the answered uploads any of these servers does not have."""
        step = max(1, len(self.kept) // at_most)
        missing = 0
        for url in urls or (self.url,):
            with httpx.Client(base_url=url, timeout=30) as client:
                missing += sum(
                    client.get(f"/v1/images/{id}/crops/1:1").status_code != 200 for id in self.kept[::step]
                )
        return missing

    def _work(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            mine: list[str] = []
            while not self._stop.is_set():
                data = PICTURE + os.urandom(8)  # another file; no decoder reads behind the picture's end
                if answer := self._ask(client, "POST", "/v1/images?ratios=1:1", data):
                    mine.append(answer.json()["id"])
                    with self._lock:
                        self.kept.append(mine[-1])
                if mine:
                    self._ask(client, "GET", f"/v1/images/{mine[len(mine) // 2]}/crops/16:9")

    def _ask(self, client: httpx.Client, method: str, path: str, data: bytes = b"") -> httpx.Response | None:
        """The answer if it is a success."""
        while True:
            try:
                answer = client.request(method, path, content=data)
            except httpx.TransportError as error:
                with self._lock:
                    self.broken.append(f"{method} {type(error).__name__}")
                time.sleep(0.05)
                return None
            if answer.status_code == 503 and self.patient and "retry-after" in answer.headers:
                time.sleep(0.2)
                continue
            with self._lock:
                self.answers[f"{method} {answer.status_code}"] += 1
            return answer if answer.is_success else None


def recovery(url: str, seconds: float = 30) -> float:
    """Seconds until an upload is stored again: its answer is not degraded."""
    began = time.monotonic()
    with httpx.Client(base_url=url, timeout=30) as client:

        def stored() -> bool:
            answer = client.post("/v1/images?ratios=1:1", content=PICTURE + os.urandom(8))
            return answer.is_success and "x-degraded" not in answer.headers

        until(stored, seconds)
    return time.monotonic() - began
