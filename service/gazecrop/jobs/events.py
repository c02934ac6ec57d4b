"""A bucket's notifications (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html):
S3's JSON as AWS and MinIO send it, EventBridge's form, and either inside messages of SNS and SQS. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

import orjson

from gazecrop.errors import BadParameters
from gazecrop.sources.urls import Url, UrlError, of_object, within

SIDECAR = ".gazecrop.json"  # of an object: a worker's result beside it, whose own event makes no job
DEPTH = 4  # of messages in messages: SNS in SQS in a batch has three
OBJECTS = 1000  # in one notification; AWS sends one
CREATED = ("ObjectCreated:", "s3:ObjectCreated:")
Fields = dict[bytes, bytes]


def created(body: bytes) -> list[tuple[str, str]]:
    """(bucket, key) of each object that the notification says was created, once. Raises BadParameters for what is not
    a notification."""
    found = list(dict.fromkeys(_created(_parsed(body), DEPTH)))
    if len(found) > OBJECTS:
        raise _not(f"It names more than {OBJECTS} objects.")
    return found


def jobs_of(objects: Sequence[tuple[str, str]], prefixes: Sequence[Url]) -> list[Fields]:
    """The fields of a job for each object within the prefixes, without folders and without results of a worker."""
    return [
        {b"bucket": bucket.encode(), b"key": key.encode()}
        for bucket, key in objects
        if not key.endswith(("/", SIDECAR)) and _allowed(bucket, key, prefixes)
    ]


def _allowed(bucket: str, key: str, prefixes: Sequence[Url]) -> bool:
    try:
        return within(of_object(bucket, key), prefixes)
    except UrlError:
        return False


def _created(message: Any, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(message, dict) or not depth:
        raise _not("It is none of the forms that S3, MinIO, EventBridge, SNS and SQS send.")
    if "detail-type" in message:
        yield from _of_event_bridge(message)
    elif message.get("Event") == "s3:TestEvent":
        return
    elif message.get("Type") == "SubscriptionConfirmation":
        raise _not("Confirm the subscription at SNS yourself: this server opens no URL that it is sent.")
    elif isinstance(inner := message.get("Message") or message.get("Body") or message.get("body"), str):
        yield from _created(_parsed(inner), depth - 1)  # SNS; SQS as received, and as Lambda gets it
    elif isinstance(records := message.get("Records", message.get("Messages")), list):
        for record in records[: OBJECTS + 1]:
            yield from _of_record(record, depth)
    else:
        raise _not("It has neither Records nor detail.")


def _of_record(record: Any, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(record, dict):
        raise _not("A record of it is not an object.")
    if isinstance(record.get("Sns"), dict):
        yield from _created(record["Sns"], depth - 1)
    elif "s3" not in record:
        yield from _created(record, depth - 1)
    elif str(record.get("eventName", "")).startswith(CREATED):
        yield _object(record["s3"], encoded=True)


def _of_event_bridge(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys are not encoded here, other than in S3's own form."""
    if message.get("source") == "aws.s3" and message["detail-type"] == "Object Created":
        yield _object(message.get("detail"), encoded=False)


def _object(place: Any, *, encoded: bool) -> tuple[str, str]:
    try:
        bucket, key = place["bucket"]["name"], place["object"]["key"]
    except (KeyError, TypeError):
        raise _not("A record of it has no bucket.name and object.key.") from None
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise _not("A record of it has no bucket.name and object.key.")
    try:
        return bucket, unquote_plus(key, errors="strict") if encoded else key
    except UnicodeDecodeError:
        raise _not("A key of it is not UTF-8.") from None


def _parsed(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _not("It is not JSON.") from None


def _not(reason: str) -> BadParameters:
    return BadParameters.one("body", f"This is not a notification of a bucket that is understood. {reason}")
