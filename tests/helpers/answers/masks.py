"""What must differ between two runs: taken out, or exchanged where it differs consistently."""

import re

from tests.helpers.answers.recording import Answer

# Follow from the release number: ETags, versions of documents, the number itself.
VERSION = re.compile(
    rb'"[0-9a-f]{10}-[0-9a-f]{8}"|(?<="version":")[0-9a-f]{10}(?=")|(?<=\?v=)[0-9a-f]{10}'
    rb'|(?<="version":")\d+\.\d+\.\d+(?=")|(?<="release": ")\d+\.\d+\.\d+(?=")'
    rb"|(?<=gazecrop )\d+\.\d+\.\d+|(?<=release )\d+\.\d+\.\d+|(?<=__version__ )\d+\.\d+\.\d+"
)
RANDOM = re.compile(rb'"focus-\d+"|(?<="report":")[0-9a-f]{16}(?=")')
_DATE = re.compile(rb"(?im)^(date: |x-request-id: ).*?\r?$")
_DURATION = re.compile(rb";dur=[\d.]+")
_TIME = re.compile(rb"\d+(\.\d+)? ms")
_MODULE = re.compile(rb"\b(service|gazecrop)(\.[a-z_]+)*\.(?=[A-Z])")  # of a class in a signature
_MADE_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]+")
_FILE_TAG = re.compile(r'"[0-9a-f]{32}"')  # made of the time at which a file was written


class Pairs:
    """Values before and after that stand for each other: one to one, over all answers."""

    def __init__(self) -> None:
        self._after: dict[bytes, bytes] = {}
        self._before: dict[bytes, bytes] = {}

    def match(self, before: bytes, after: bytes) -> bool:
        return (
            self._after.setdefault(before, after) == after
            and self._before.setdefault(after, before) == before
        )

    def align(self, pattern: "re.Pattern[bytes]", before: bytes, after: bytes) -> bytes:
        """`after` with the values of `before` where they stand for each other."""
        wanted = iter(pattern.findall(before))

        def exchange(found: "re.Match[bytes]") -> bytes:
            value = next(wanted, None)
            return value if value is not None and self.match(value, found[0]) else found[0]

        return pattern.sub(exchange, after)


def headers(answer: Answer) -> list[tuple[str, str]]:
    """In their order; names alone of what is measured or made of a clock. `store` is no stage to compare: a focus that
    was read less than a second ago is not read again."""
    found = [(name, _value(name.lower(), value, answer)) for name, value in answer.headers]
    return [(name, value) for name, value in found if value or name.lower() != "server-timing"]


def _value(name: str, value: str, answer: Answer) -> str:
    if name in ("date", "last-modified"):
        return "*"
    if name == "server-timing":
        stages = [part.partition(";")[0] for part in value.split(", ")]
        return ", ".join(stage for stage in stages if stage != "store")
    if name == "x-request-id" and _MADE_ID.fullmatch(value):
        return "*"
    if name == "etag" and _FILE_TAG.fullmatch(value):
        return "*"
    if name == "content-length" and is_metrics(answer):
        return "*"
    if name == "retry-after" and answer.status == 429:
        return "*"
    return value


def body(answer: Answer) -> bytes:
    if is_metrics(answer):
        lines = answer.body.splitlines()  # in the order in which their first request happened to end
        return b"\n".join(
            sorted(line if line.startswith(b"#") else line.rpartition(b" ")[0] for line in lines)
        )
    if answer.label.startswith("framing"):
        return _DURATION.sub(b"", _DATE.sub(rb"\1*", answer.body))
    if "gazecrop doctor" in answer.label:
        return _TIME.sub(b"* ms", answer.body)
    if answer.label.startswith("import gazecrop"):
        return _MODULE.sub(b"", answer.body)
    return answer.body


def is_metrics(answer: Answer) -> bool:
    return re.search("(GET|HEAD) /metrics", answer.label) is not None and answer.status == 200
