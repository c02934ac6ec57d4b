"""Errors of the client: the tree of `gazecrop.errors`, by the `type` of the problem document that the server sent."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from gazecrop.errors import GazecropError

_OWN = {"type", "title", "status", "detail"}


class NotReached(GazecropError):
    """No answer: the server cannot be reached, or it closed the connection, or the time was over."""


class UnknownProblem(GazecropError):
    """An answer that is no problem of this release, as of a proxy. `status` is that of the answer."""

    def __init__(self, status: int, slug: str, title: str, detail: str, **members: Any) -> None:
        super().__init__(detail, log=f"{status} {title}: {detail}", **members)
        self.__dict__.update(status=status, slug=slug, title=title)


def _tree(error: type[GazecropError]) -> Iterator[type[GazecropError]]:
    yield error
    for each in error.__subclasses__():
        yield from _tree(each)


_BY_SLUG = {each.slug: each for each in _tree(GazecropError) if "slug" in vars(each)}


def error_of(answer: httpx.Response) -> GazecropError:
    """The error of an answer: `detail`, `members` (errors, limit, received, fix) and `headers` as the server sent
    them."""
    document = _document(answer)
    slug = str(document.get("type", "")).rpartition("/")[2]
    detail = str(document.get("detail", ""))
    title = str(document.get("title", answer.reason_phrase))
    members = {name: value for name, value in document.items() if name not in _OWN}
    known = _BY_SLUG.get(slug)
    if known is None or known.status != answer.status_code:
        return UnknownProblem(
            answer.status_code, slug or "unknown", title, detail or answer.text[:200], **members
        )
    error = known.__new__(known)  # constructors differ, what they store does not
    GazecropError.__init__(error, detail, log=detail or title, headers=answer.headers, **members)
    return error


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            content = answer.json()
        except ValueError:
            return {}
        if isinstance(content, dict):
            return {str(name): value for name, value in content.items() if name not in ("log", "headers")}
    return {}
