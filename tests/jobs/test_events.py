"""Notifications of buckets, in every form in which they are sent."""

import json
from typing import Any

import pytest

from gazecrop.errors import BadParameters
from gazecrop.jobs.events import created, jobs_of
from gazecrop.sources.urls import parse_prefix

PREFIXES = [parse_prefix("s3://photos/in/"), parse_prefix("s3://whole/")]


def record(key: str, bucket: str = "photos", event: str = "ObjectCreated:Put") -> dict[str, Any]:
    """As AWS sends it, without what is not read."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e"},
        },
    }


S3 = {"Records": [record("in/a+b%C3%A9.jpg")]}
FOUND = [("photos", "in/a bé.jpg")]
MINIO = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "photos/in/a bé.jpg",
    "Records": [record("in%2Fa+b%C3%A9.jpg", event="s3:ObjectCreated:Put")],
}
SNS = {"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(S3)}
EVENT_BRIDGE = {
    "version": "0",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "photos"}, "object": {"key": "in/a bé.jpg"}, "reason": "PutObject"},
}


@pytest.mark.parametrize(
    "message",
    [
        S3,
        MINIO,
        SNS,
        EVENT_BRIDGE,
        {"Messages": [{"MessageId": "1", "Body": json.dumps(S3)}]},
        {"Messages": [{"Body": json.dumps(SNS)}]},
        {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(SNS)}]},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(S3)}}]},
        {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(EVENT_BRIDGE)}]},
        {"Records": [*S3["Records"], *S3["Records"]]},
    ],
)
def test_every_form(message: dict[str, Any]) -> None:
    assert created(json.dumps(message).encode()) == FOUND


def test_a_key_of_event_bridge_is_not_encoded() -> None:
    detail = {"bucket": {"name": "photos"}, "object": {"key": "in/100%25+1.jpg"}}
    assert created(json.dumps(EVENT_BRIDGE | {"detail": detail}).encode()) == [("photos", "in/100%25+1.jpg")]


@pytest.mark.parametrize(
    "message",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"},
        {"Type": "Notification", "Message": json.dumps({"Event": "s3:TestEvent"})},
        {"Records": [record("in/a.jpg", event="ObjectRemoved:Delete")]},
        {"Records": [record("in/a.jpg", event="s3:ObjectAccessed:Get")]},
        EVENT_BRIDGE | {"detail-type": "Object Deleted"},
        {"Records": []},
        {"Messages": []},
    ],
)
def test_other_events_make_no_job(message: dict[str, Any]) -> None:
    assert created(json.dumps(message).encode()) == []


def nested(depth: int) -> str:
    return json.dumps({"Message": nested(depth - 1)} if depth else S3)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"1", b"{}", b'"x"', b"\xff", b'{"Records": 1}', b'{"Records": [1]}',
        b'{"Records": [{"s3": {}}]}'.replace(b'"s3"', b'"eventName": "ObjectCreated:Put", "s3"'),
        json.dumps({"Records": [record("%FF")]}).encode(),
        json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://x.example"}).encode(),
        json.dumps({"Records": [record(f"in/{n}.jpg") for n in range(1001)]}).encode(),
        nested(4).encode(),
        b'{"Records": [' * 50 + b"]}" * 50,
    ],
)  # fmt: skip
def test_what_is_no_notification(body: bytes) -> None:
    with pytest.raises(BadParameters):
        created(body)


def test_only_objects_within_the_prefixes_become_jobs() -> None:
    objects = [
        ("photos", "in/a b.jpg"),
        ("photos", "out/a.jpg"),
        ("photos", "in/../out/a.jpg"),
        ("photos", "in/folder/"),
        ("photos", "in/a b.jpg.gazecrop.json"),
        ("photos", "in/" + "k" * 1100),
        ("photos", "in/\ud800.jpg"),
        ("other", "in/a.jpg"),
        ("whole", "a?versionId=1#2%25.jpg"),
        ("Whole", "a.jpg"),
        ("whole/x", "a.jpg"),
    ]
    assert jobs_of(objects, PREFIXES) == [
        {b"bucket": b"photos", b"key": b"in/a b.jpg"},
        {b"bucket": b"whole", b"key": b"a?versionId=1#2%25.jpg"},
    ]
