"""One line of `gazecrop doctor`."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """FAIL: the server, or the worker, would not start."""

    state: State
    about: str
    text: str
