"""Reports as one self-contained HTML file, from the Jinja2 templates in `templates/`: no script, no address."""

import base64
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazecrop import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a report. `command`: as typed; `source`: absolute; `date`: ISO 8601, UTC."""

    command: str
    source: str
    date: str
    release: str = __version__

    @classmethod
    def of(cls, command: str, argv: Sequence[str], source: str | Path) -> "Provenance":
        """Of the run that starts now."""
        text = shlex.join(["gazecrop", "audit", command, *argv])
        return cls(text, str(Path(source).absolute()), datetime.now(UTC).isoformat(timespec="seconds"))

    def json(self) -> dict[str, Any]:
        return asdict(self)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return environment


def render(template: str, provenance: Provenance, **context: Any) -> str:
    return _environment().get_template(template).render(provenance=provenance, **context)
