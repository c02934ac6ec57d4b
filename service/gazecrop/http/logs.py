"""The log on standard error: lines of text, or one JSON object a line with GAZECROP_LOG_FORMAT=json."""

import asyncio
import copy
import logging
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from uvicorn.config import LOGGING_CONFIG

from gazecrop.settings import Settings

# Waking the thread and a write to the stream take 0.15 ms, as long as 15 lines.
FLUSH_SECONDS = 0.1
MOST_LINES = 20_000  # that wait to be written, about 6 MB; more requests are counted and left out

_log = logging.getLogger("gazecrop")
_access = logging.getLogger("gazecrop.access")


class JsonFormatter(logging.Formatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, the fields of the record, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_utc(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """`2026-11-29 23:50:01 INFO gazecrop: message`, in local time; for a request its duration, stages and id follow.
    Other fields are in the message already."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _local(int(record.created))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None or "stages" not in fields:
            return line
        stages = "".join(f" {stage}={duration}" for stage, duration in fields["stages"].items())
        return f"{line} ms={fields['ms']}{stages} id={fields['request_id']}"


# The same for all lines of a second.
@lru_cache(maxsize=1)
def _utc(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=1)
def _local(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


class Access(NamedTuple):
    """An answered request. Its line is made when it is written. `at`: seconds since 1970. `stages`: their seconds. The
    route is a template: neither ids nor queries are logged."""

    at: float
    method: str
    route: str
    status: int
    seconds: float
    stages: dict[str, float]
    request_id: str
    trace_id: str | None = None

    @property
    def message(self) -> str:
        return f"{self.method} {self.route} {self.status}"

    def fields(self) -> dict[str, Any]:
        found = {
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "ms": round(self.seconds * 1e3, 2),
            "stages": {stage: round(seconds * 1e3, 2) for stage, seconds in self.stages.items()},
            "request_id": self.request_id,
        }
        return found if self.trace_id is None else found | {"trace_id": self.trace_id}

    def record(self) -> logging.LogRecord:
        """The same for any handler of the standard library's logging."""
        record = logging.LogRecord(_access.name, logging.INFO, "", 0, self.message, None, None)
        record.fields = self.fields()
        return record

    def json_line(self) -> str:
        second = int(self.at)
        line = {
            "time": f"{_utc(second)}.{int((self.at - second) * 1000):03d}Z",
            "level": "info",
            "logger": _access.name,
            "message": self.message,
        }
        return orjson.dumps(line | self.fields()).decode()

    def text_line(self) -> str:
        at, method, route, status, seconds, stages, request_id, _ = self
        line = (
            f"{_local(int(at))} INFO {_access.name}: {method} {route} {status} ms={round(seconds * 1e3, 2)}"
        )
        for stage, taken in stages.items():
            line += f" {stage}={round(taken * 1e3, 2)}"
        return f"{line} id={request_id}"


class Handler(logging.StreamHandler[Any]):
    """Writes to standard error. Lines of an event loop up to INFO are collected for 0.1 s and written by a thread, so
    that a reader of the log that stops does not stop the server."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(sys.stderr)
        self._json = settings.log_format == "json"
        self.setFormatter(JsonFormatter() if self._json else TextFormatter())
        self._lines: deque[str | Access] = deque()
        self._left_out = 0
        self._writing = threading.RLock()
        self._soon = threading.Event()
        self._thread: threading.Thread | None = None

    def access(self, one: Access) -> None:
        """Collects the line of a request. Takes no lock: 1 us, a formatted line 40."""
        if len(self._lines) >= MOST_LINES:
            self._left_out += 1
            return
        self._lines.append(one)
        if not self._soon.is_set():
            self._write_soon()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
            if record.levelno > logging.INFO or not _in_event_loop():
                self.flush()
            elif not self._soon.is_set():
                self._write_soon()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Also called at exit, by `logging.shutdown`."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if self._left_out:
                lines.append(self._note())
            if lines:
                self.stream.write("".join(f"{self._line(one)}{self.terminator}" for one in lines))
            self.stream.flush()  # super().flush() takes the handler's lock, which `handle` holds when it calls this

    def _line(self, one: str | Access) -> str:
        if isinstance(one, str):
            return one
        return one.json_line() if self._json else one.text_line()

    def _note(self) -> str:
        count, self._left_out = self._left_out, 0
        text = f"{count} requests are not in this log, which was not read in time"
        return self.format(logging.LogRecord(_access.name, logging.WARNING, "", 0, text, None, None))

    def _write_soon(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # a forked process has no threads
            self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
            self._thread.start()
        self._soon.set()

    def _write(self) -> None:
        while True:
            self._soon.wait()
            time.sleep(FLUSH_SECONDS)
            self._soon.clear()
            with suppress(Exception):  # the log has no reader any more
                self.flush()


def log_access(one: Access) -> None:
    """To our handler where it is the only one, else as any record."""
    handlers = _log.handlers
    if len(handlers) == 1 and isinstance(handlers[0], Handler) and not _access.handlers:
        handlers[0].access(one)
    else:
        _access.handle(one.record())


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def configuration(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: uvicorn's loggers and ours."""
    logs: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    logs["formatters"] = {}
    logs["handlers"] = {"stderr": {"()": Handler, "settings": settings}}
    logger = {"handlers": ["stderr"], "level": settings.log_level.upper(), "propagate": False}
    logs["loggers"] = {"uvicorn": logger, "gazecrop": logger}
    return logs
