"""The log on standard error: lines of text, or one JSON object a line with GAZECROP_LOG_FORMAT=json."""

import asyncio
import copy
import logging
import sys
import time
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import orjson
from uvicorn.config import LOGGING_CONFIG

from gazecrop.settings import Settings

FLUSH_SECONDS = 0.02  # a write to the stream takes as long as the rest of a line


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


class Handler(logging.StreamHandler[Any]):
    """Writes to standard error. Lines of an event loop up to INFO are collected for 20 ms and written together."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.levelno > logging.INFO:
                self.flush()
            elif len(self._lines) == 1:
                self._flush_soon()
        except Exception:
            self.handleError(record)

    def _flush_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        except RuntimeError:  # no event loop in this thread
            self.flush()

    def flush(self) -> None:
        """Also called at exit, by `logging.shutdown`."""
        with self.lock or nullcontext():  # reentrant; None only while the interpreter exits
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("".join(lines))
            super().flush()


def configuration(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: uvicorn's loggers and ours."""
    logs: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    logs["formatters"] = {}
    logs["handlers"] = {"stderr": {"()": Handler, "settings": settings}}
    logger = {"handlers": ["stderr"], "level": settings.log_level.upper(), "propagate": False}
    logs["loggers"] = {"uvicorn": logger, "gazecrop": logger}
    return logs
