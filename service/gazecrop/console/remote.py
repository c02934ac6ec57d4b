"""Pictures on remote file systems, through fsspec: s3://, gs://, https:// and http://. Needs the extra [remote].

Credentials and endpoints are those that s3fs and gcsfs find in the environment.
"""

import glob
from typing import Any

from gazecrop.console.files import is_picture

SCHEMES = ("s3", "gs", "gcs", "https", "http")


class NoRemote(Exception):
    """A package is missing. The text is for the user."""


def is_remote(path: str) -> bool:
    return path.partition("://")[0] in SCHEMES and "://" in path


def pictures_at(source: str) -> list[tuple[str, str]]:
    """(name, URL) of each picture: of a folder with all below it, named relative to it, of a glob, or the picture
    itself. A folder of https is one whose page links to its files. Raises NoRemote, OSError."""
    files, path = _file_system(source)
    scheme = source.partition("://")[0]
    web = scheme in ("http", "https")
    name = path.partition("?")[0] if web else path  # without a query
    one = is_picture(name)
    try:
        if "*" in name or (not web and glob.has_magic(name)):
            urls = [_url(each, scheme) for each in sorted(files.glob(path))]
            if urls or not one:  # else the name of one picture, with a ? or a [ in it
                return [(url, url) for url in urls if is_picture(url)]
        if one:
            return [(source, source)]
        folder = _url(path, scheme).rstrip("/") + "/"
        urls = sorted(_url(each, scheme) for each in files.find(path.rstrip("/") + "/"))
    except Exception as error:  # of the file system's own libraries
        raise _as_os_error(error) from error
    return [(url[len(folder) :], url) for url in urls if url.startswith(folder) and is_picture(url)]


def read(url: str) -> bytes:
    """The bytes of a file. Raises NoRemote, OSError."""
    files, path = _file_system(url)
    try:
        data: bytes = files.cat_file(path)
    except Exception as error:
        raise _as_os_error(error) from error
    return data


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec keeps one instance for each scheme in a process."""
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(url)
    except ImportError as error:
        scheme = url.partition("://")[0]
        raise NoRemote(
            f"{scheme}:// needs the extra [remote]: pip install '.[remote]' in the checkout"
        ) from error
    return found


def _url(path: str, scheme: str) -> str:
    """File systems of buckets list paths without the scheme."""
    return path if "://" in path else f"{scheme}://{path}"


def _as_os_error(error: Exception) -> OSError:
    """Those of botocore, aiohttp and gcsfs are not all OSErrors, nor are they picklable."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OSError(" ".join((reason or type(error).__name__).split())[:300])
