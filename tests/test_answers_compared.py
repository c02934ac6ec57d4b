"""What compares two recordings must find a planted difference, and nothing between two servers that are equal."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Server
from tests.helpers.answers import corpus, pictures, recording
from tests.helpers.answers.client import Client
from tests.helpers.answers.compare import Allowed, compare, report
from tests.helpers.answers.focus import focus
from tests.helpers.answers.recording import Answer

DOCUMENT = Answer(
    "GET /v1/images/{a}",
    200,
    (
        ("date", "Sun, 29 Nov 2026 10:00:00 GMT"),
        ("etag", '"0123456789-89abcdef"'),
        ("server-timing", "store;dur=0.31, crop;dur=1.20"),
        ("x-request-id", "00112233aabb-1f"),
        ("vary", "Accept"),
    ),
    b'{"version":"0123456789","crops":[{"box":{"x":12}},{"box":{"x":7}}]}',
)


def changed(**headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(
        DOCUMENT, headers=tuple((name, named.get(name, value)) for name, value in DOCUMENT.headers)
    )


def found(before: Answer, after: Answer, allowed: Allowed | None = None) -> list[str]:
    return compare([before], [after], allowed).differences.get(before.label, [])


def test_what_must_differ_is_no_difference() -> None:
    after = changed(
        date="Mon, 30 Nov 2026 10:00:00 GMT",
        server_timing="crop;dur=0.01",
        x_request_id="ffffffffffff-2",
    )
    assert not found(DOCUMENT, after)


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (replace(DOCUMENT, status=404), "status: 200 -> 404"),
        (changed(vary="Origin"), "header vary: Accept -> Origin"),
        (changed(server_timing="read;dur=1"), "header server-timing: crop -> read"),
        (changed(x_request_id="mine"), "header x-request-id: * -> mine"),
        (replace(DOCUMENT, headers=DOCUMENT.headers[:-1]), "header vary: Accept -> (absent)"),
        (
            replace(DOCUMENT, headers=DOCUMENT.headers[::-1]),
            "order of headers: date, etag, server-timing, x-request-id, vary -> "
            "vary, x-request-id, server-timing, etag, date",
        ),
        (replace(DOCUMENT, body=DOCUMENT.body.replace(b":7", b":8")), "body.crops[1].box.x: 7 -> 8"),
        (
            replace(DOCUMENT, body=DOCUMENT.body + b" "),
            "body: the same JSON, other bytes (order of members, spaces or forms of numbers)",
        ),
    ],
)
def test_a_difference_is_named(after: Answer, line: str) -> None:
    assert found(DOCUMENT, after) == [line]


def test_an_answer_that_is_missing_or_new_is_named() -> None:
    other = replace(DOCUMENT, label="GET /")
    assert compare([DOCUMENT], [other]).differences == {
        "GET /v1/images/{a}": ["an answer -> no such answer"],
        "GET /": ["no such answer -> an answer"],
    }


def test_a_part_that_one_side_has_not_is_said_and_not_compared() -> None:
    other = replace(DOCUMENT, label="gazecrop crop", part="commands")
    text, status = report(compare([DOCUMENT, other], [DOCUMENT]), ignore_versions=False)
    assert text.splitlines() == [
        "not compared: 1 answers of commands, which one side has not",
        "1 answers compared, 0 differ",
    ]
    assert status == 0


def test_pixels_are_measured() -> None:
    whole = pictures.scene(64, 48)
    before = replace(DOCUMENT, body=pictures.encode(whole, "PNG"))
    whole.putpixel((3, 3), (0, 0, 0))
    [line] = found(before, replace(before, body=pictures.encode(whole, "PNG")))
    assert line.startswith("body: PNG 64x48, ") and " of 255 apart" in line
    [line] = found(before, replace(before, body=pictures.encode(whole.resize((32, 24)), "PNG")))
    assert line.endswith("pixels of other sizes")


def test_texts_are_compared_by_line() -> None:
    before = replace(DOCUMENT, body=b"one\ntwo\n")
    assert found(before, replace(before, body=b"one\n2\n")) == ["body: -two", "body: +2"]
    assert found(before, replace(before, body=b"one\r\ntwo\r\n")) == ["body: other ends of lines"]


def test_json_lines_are_compared_by_member() -> None:
    before = replace(DOCUMENT, body=b'{"a":1}\n{"b":[1,2]}\n')
    assert found(before, replace(before, body=b'{"a":1}\n{"b":[1,3]}\n')) == ["body[1].b[1]: 2 -> 3"]


def test_metrics_are_compared_by_name_and_label() -> None:
    before = replace(DOCUMENT, label="GET /metrics", body=b'# HELP a b\na{c="d"} 1.0\na{c="e"} 2.0\n')
    assert not found(before, replace(before, body=b'# HELP a b\na{c="e"} 3.0\na{c="d"} 2.0\n'))
    assert found(before, replace(before, body=b'# HELP a b\na{c="d"} 1.0\na{c="f"} 2.0\n')) == [
        'body: -a{c="e"}',
        'body: +a{c="f"}',
    ]


def released(answer: Answer) -> Answer:
    """As another release would answer."""
    after = replace(answer, body=answer.body.replace(b"0123456789", b"fedcba9876"))
    headers = {**dict(answer.headers), "etag": '"fedcba9876-76543210"'}
    return replace(after, headers=tuple(headers.items()))


def test_what_follows_from_the_release_number_is_one_line() -> None:
    before = [replace(DOCUMENT, label=f"GET /{n}") for n in range(9)]
    result = compare(before, [released(answer) for answer in before])
    text, status = report(result, ignore_versions=False)
    assert text.splitlines() == [
        "ETag and version: 9 answers, follow from the release number",
        "9 answers compared, 0 differ",
    ]
    assert status == 1
    assert report(result, ignore_versions=True)[1] == 0


def test_a_version_that_changes_where_it_did_not_is_a_difference() -> None:
    again = replace(DOCUMENT, label="GET /again")
    other = replace(released(again), body=again.body.replace(b"0123456789", b"1111111111"))
    assert list(compare([DOCUMENT, again], [released(DOCUMENT), other]).differences) == ["GET /again"]


def test_what_is_intended_is_allowed_by_line(tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text(
        "# comment\n\nGET /v1/images/.* header vary  # named by the issue\nnever  # nothing like it\n"
    )
    after = replace(changed(vary="Origin"), status=404)
    allowed = Allowed.read(file)
    result = compare([DOCUMENT], [after], allowed)
    assert result.differences == {DOCUMENT.label: ["status: 200 -> 404"]}
    text, status = report(result, ignore_versions=False)
    assert "intended: 1 differences, named by the issue (GET /v1/images/.* header vary)" in text
    assert "intended: 0 differences, nothing like it (never)" in text
    assert status == 1
    assert report(compare([DOCUMENT], [changed(vary="Origin")], allowed), ignore_versions=False)[1] == 0
    file.write_text("GET /\n")
    with pytest.raises(ValueError, match="a reason is missing"):
        Allowed.read(file)


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    answers = [DOCUMENT, replace(DOCUMENT, label="é", body=bytes(range(256)), random=True)]
    recording.write(tmp_path / "recorded", answers)
    assert recording.read(tmp_path / "recorded") == answers


def test_two_servers_answer_alike_and_a_changed_byte_is_found(start_server: Callable[..., Server]) -> None:
    """With the focus, whose revisions are random."""
    runs = []
    for _ in range(2):
        client = Client(start_server(GAZECROP_ID_KEY="recorded").url)
        data = pictures.files()
        known = {
            name: corpus.upload(client, name, data[name])[0] for name in ("wide.jpg", "tall.jpg", "flat.png")
        }
        focus(client, known)
        runs.append(client.answers)
    result = compare(runs[0], runs[1])
    assert (result.differences, result.versions) == ({}, [])
    assert result.compared > 60
    at = next(n for n, answer in enumerate(runs[1]) if answer.status == 200 and b'"crops"' in answer.body)
    document = json.loads(runs[1][at].body)
    planted = runs[1][at].body.replace(b'"x":%d,' % document["crops"][0]["box"]["x"], b'"x":99,', 1)
    runs[1][at] = replace(runs[1][at], body=planted)
    assert list(compare(runs[0], runs[1]).differences) == [runs[0][at].label]
    with pytest.raises(corpus.NotFresh):
        corpus.upload(client, "wide.jpg", data["wide.jpg"])
