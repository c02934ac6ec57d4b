"""A job: a picture and the crops wanted, as the fields of an entry in the stream.

    url=https://…   or   bucket=NAME key=KEY   or   image=BYTES    where the picture is
    id=…                                                          of the sender's own, given back with the result
    ratios=… policy=… zoom=… …                                    the parameters of POST /v1/images

An entry may instead have the one field event=JSON: a bucket's notification (events.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from gazecrop.crop.params import CROPPING, Wanted, parse
from gazecrop.errors import BadParameters
from gazecrop.sources.urls import Url, UrlError, of_object

EVENT = b"event"
PLACES = ("url", "bucket", "key", "image")
LONGEST_ID = 200  # characters
LONGEST_FIELD = 8192  # bytes of one field but `image` and `event`


@dataclass(frozen=True, slots=True)
class Job:
    """One of `url`, `object` and `image` is given. `object`: of a bucket."""

    wanted: Wanted
    id: str = ""
    url: str = ""
    object: Url | None = None
    image: bytes | None = None

    @property
    def source(self) -> str:
        """Where the picture is; empty where the job holds it."""
        return self.url or (f"s3://{self.object.host}{self.object.path}" if self.object else "")


def own_id(fields: Mapping[bytes, bytes]) -> str:
    """The sender's id, also of an entry that is not a job."""
    return fields.get(b"id", b"").decode("utf-8", "replace")[:LONGEST_ID]


def parse_job(fields: Mapping[bytes, bytes]) -> Job:
    """Raises BadParameters."""
    texts: dict[str, str] = {}
    for name, value in fields.items():
        if name == b"image":
            continue
        if len(value) > LONGEST_FIELD:
            raise BadParameters.one(_shown(name), f"{_shown(name)} has more than {LONGEST_FIELD} bytes.")
        try:
            texts[name.decode()] = value.decode()
        except UnicodeDecodeError:
            raise BadParameters.one(_shown(name), f"{_shown(name)} is not UTF-8.") from None
    places = {name for name in PLACES if name.encode() in fields}
    if places not in ({"url"}, {"bucket", "key"}, {"image"}):
        detail = "A job has one of url, bucket with key, and image."
        raise BadParameters.one("url", detail, received=" ".join(sorted(places)))
    if len(texts.get("id", "")) > LONGEST_ID:
        raise BadParameters.one("id", f"id has more than {LONGEST_ID} characters.")
    query = urlencode([(name, value) for name, value in texts.items() if name not in (*PLACES, "id")])
    wanted, id = parse(query, CROPPING), texts.get("id", "")
    if "image" in places:
        return Job(wanted, id, image=fields[b"image"])
    if "url" in places:
        return Job(wanted, id, url=texts["url"])
    try:
        return Job(wanted, id, object=of_object(texts["bucket"], texts["key"]))
    except UrlError as error:
        raise BadParameters.one("key", f"The object is not read: {error}.") from None


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")[:40]
