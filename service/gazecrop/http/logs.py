"""The log on standard error: lines of text, or one JSON object a line with GAZECROP_LOG_FORMAT=json."""

import copy
import logging
import sys
import time
from typing import Any

import orjson
from uvicorn.config import LOGGING_CONFIG

from gazecrop.settings import Settings


class JsonFormatter(logging.Formatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, the fields of the record, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """`2026-11-29 23:50:01 INFO gazecrop: message`, in local time; for a request its duration, stages and id follow."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            return line
        stages = "".join(f" {stage}={duration}" for stage, duration in fields["stages"].items())
        return f"{line} ms={fields['ms']}{stages} id={fields['request_id']}"


def formatter(settings: Settings) -> logging.Formatter:
    return JsonFormatter() if settings.log_format == "json" else TextFormatter()


def handler(settings: Settings) -> logging.Handler:
    """Writes to standard error; for the root logger, which has the records of libraries."""
    made = logging.StreamHandler(sys.stderr)
    made.setFormatter(formatter(settings))
    return made


def configuration(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: uvicorn's loggers and ours."""
    logs: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    logs["formatters"] = {"line": {"()": formatter, "settings": settings}}
    logs["handlers"] = {
        "line": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    }
    logger = {"handlers": ["line"], "level": settings.log_level.upper(), "propagate": False}
    logs["loggers"] = {"uvicorn": logger, "gazecrop": logger}
    return logs
