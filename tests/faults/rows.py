"""The rows of the table: what each fault is, what must hold, what was measured.

A row is a function with `@fault(NAME)` in a module that `__main__.py` imports. It takes a `Trial` and returns a `Row`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ORDER = (
    "hostile", "clients", "memory", "overload", "redis", "sentinel", "kill", "drain", "disk full", "restart",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    bar: str
    measured: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """`folder`: empty, for this row. `short`: the form that `make test` runs, seconds instead of tens of them."""

    folder: Path
    short: bool


Fault = Callable[[Trial], Row]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    assert name in ORDER

    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


def in_order() -> list[tuple[str, Fault]]:
    return [(name, FAULTS[name]) for name in ORDER if name in FAULTS]
