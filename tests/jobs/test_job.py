"""The fields of a job."""

import pytest

from gazecrop.errors import BadParameters
from gazecrop.jobs.job import parse_job


def test_a_url_with_parameters_of_the_api() -> None:
    job = parse_job({b"url": b"https://a.example/x.jpg", b"id": b"42", b"ratios": b"16:9,square"})
    assert (job.url, job.id, job.source) == ("https://a.example/x.jpg", "42", "https://a.example/x.jpg")
    assert [ratio.text for ratio in job.wanted.ratios] == ["16:9", "1:1"]


def test_an_object_of_a_bucket() -> None:
    job = parse_job({b"bucket": b"photos", b"key": "a é?.jpg".encode()})
    assert job.source == "s3://photos/a é?.jpg" and job.object and job.object.path == "/a é?.jpg"


def test_the_bytes_of_a_picture() -> None:
    job = parse_job({b"image": b"\xff\xd8"})
    assert job.image == b"\xff\xd8" and job.source == ""


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"bucket": b"photos"},
        {b"key": b"x"},
        {b"url": b"https://a.example/", b"image": b"x"},
        {b"image": b"x", b"ratios": b"no-ratio"},
        {b"image": b"x", b"colour": b"red"},
        {b"image": b"x", b"id": b"x" * 201},
        {b"image": b"x", b"id": b"\xff"},
        {b"image": b"x", b"\xff": b"x"},
        {b"url": b"x" * 9000},
        {b"bucket": b"photos", b"key": b"../x"},
        {b"bucket": b"Photos", b"key": b"x"},
    ],
)
def test_what_is_no_job(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(BadParameters):
        parse_job(fields)
