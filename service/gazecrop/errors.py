"""All errors, as one tree. Clients get them as `problem+json` (RFC 9457).

    GazecropError                500  internal_error
    ├── PictureError
    │   ├── NotAPicture          415  unsupported_picture
    │   ├── PictureUnreadable    422  picture_unreadable
    │   ├── TooManyPixels        413  too_many_pixels
    │   └── TooMuchMemory        413  too_much_memory
    ├── RequestError
    │   ├── BadParameters        422  bad_parameters      (`errors` lists each of them)
    │   ├── BodyTooLarge         413  body_too_large
    │   ├── BodyTooSlow          408  body_too_slow
    │   ├── UnsupportedEncoding  415  unsupported_encoding
    │   ├── CrossOrigin          400  cross_origin        (a preflight only)
    │   ├── Unauthorized         401  unauthorized
    │   ├── Forbidden            403  forbidden
    │   ├── NotFound             404  not_found
    │   │   ├── ImageNotFound    404  image_not_found
    │   │   └── FocusNotFound    404  focus_not_found
    │   ├── MethodNotAllowed     405  method_not_allowed
    │   ├── NotAcceptable        406  not_acceptable
    │   ├── PreconditionFailed   412  precondition_failed
    │   └── TooManyReports       429  too_many_reports
    ├── SourceError                                 (a picture by URL)
    │   ├── SourceNotAllowed     403  source_not_allowed
    │   ├── SourceFailed         502  source_failed
    │   └── SourceTooSlow        504  source_too_slow
    ├── Unavailable              503  unavailable         (always with Retry-After)
    │   ├── Overloaded           503  overloaded
    │   ├── Draining             503  draining
    │   └── StoreAway            503  store_unavailable
    ├── DeadlinePassed           504  deadline_passed
    └── StoreFull                507  store_full

`detail` is written for the client and never contains internals; `log` is the text for the operator.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class GazecropError(Exception):
    """Base class. `members` are further fields of the problem document (parameter, limit, received, fix)."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str = "", *, log: str = "", headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(log or detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 document of this error; `type` is a stable path, which clients can match on."""
        document = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status}
        if self.detail:
            document["detail"] = self.detail
        return document | self.members


class PictureError(GazecropError):
    """The uploaded bytes are at fault."""


class NotAPicture(PictureError):
    status, slug, title = 415, "unsupported_picture", "Not a picture that this server reads"


class PictureUnreadable(PictureError):
    status, slug, title = 422, "picture_unreadable", "The picture is truncated or corrupt"


class TooManyPixels(PictureError):
    status, slug, title = 413, "too_many_pixels", "The picture has too many pixels"


class TooMuchMemory(PictureError):
    status, slug, title = 413, "too_much_memory", "This picture needs more memory than the server has"


class RequestError(GazecropError):
    """The request is at fault."""


class BadParameters(RequestError):
    status, slug, title = 422, "bad_parameters", "Some parameters are wrong"

    def __init__(self, errors: list[dict[str, Any]], **more: Any) -> None:
        detail = " ".join(str(error["detail"]) for error in errors[:3])
        super().__init__(detail, errors=errors, **more)

    @classmethod
    def one(cls, parameter: str, detail: str, **members: Any) -> "BadParameters":
        return cls([{"parameter": parameter, "detail": detail, **members}])


class BodyTooLarge(RequestError):
    status, slug, title = 413, "body_too_large", "The body is too large"

    @classmethod
    def of_picture(cls, limit: int, **members: Any) -> "BodyTooLarge":
        """`limit`: bytes."""
        return cls(f"The limit of a picture is {limit:,} bytes.", limit=limit, **members)


class BodyTooSlow(RequestError):
    status, slug, title = 408, "body_too_slow", "The body was received too slowly"


class UnsupportedEncoding(RequestError):
    status, slug, title = 415, "unsupported_encoding", "Compressed request bodies are not supported"


class CrossOrigin(RequestError):
    status, slug, title = 400, "cross_origin", "This cross-origin request is not allowed"


class Unauthorized(RequestError):
    status, slug, title = 401, "unauthorized", "A key is needed"


class Forbidden(RequestError):
    status, slug, title = 403, "forbidden", "This key is not valid"


class NotFound(RequestError):
    status, slug, title = 404, "not_found", "There is nothing here"


class ImageNotFound(NotFound):
    slug, title = "image_not_found", "No map is stored for this id"


class FocusNotFound(NotFound):
    slug, title = "focus_not_found", "No focus was set for this id"


class MethodNotAllowed(RequestError):
    status, slug, title = 405, "method_not_allowed", "This method is not allowed here"


class NotAcceptable(RequestError):
    status, slug, title = 406, "not_acceptable", "None of the accepted formats can be made"


class PreconditionFailed(RequestError):
    status, slug, title = 412, "precondition_failed", "The precondition failed"


class TooManyReports(RequestError):
    status, slug, title = 429, "too_many_reports", "Too many reports from this address"


class SourceError(GazecropError):
    """The URL of a picture, or what answered there, is at fault."""


class SourceNotAllowed(SourceError):
    status, slug, title = 403, "source_not_allowed", "Pictures are not fetched from this URL"


class SourceFailed(SourceError):
    status, slug, title = 502, "source_failed", "The picture could not be fetched from its URL"


class SourceTooSlow(SourceError):
    status, slug, title = 504, "source_too_slow", "The picture did not arrive from its URL in time"


class Unavailable(GazecropError):
    status, slug, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 1, log: str = "", **members: Any) -> None:
        super().__init__(detail, log=log, headers={"Retry-After": str(retry_after)}, **members)


class Overloaded(Unavailable):
    slug, title = "overloaded", "Too many requests at once"


class Draining(Unavailable):
    slug, title = "draining", "This server is shutting down"


class StoreAway(Unavailable):
    slug, title = "store_unavailable", "The store cannot be reached"


class DeadlinePassed(GazecropError):
    status, slug, title = 504, "deadline_passed", "The deadline passed before the work began"


class StoreFull(GazecropError):
    status, slug, title = 507, "store_full", "The store is full"


class ClientGone(Exception):
    """The client closed the connection before its request was complete. Outside the tree: no response can be sent."""
