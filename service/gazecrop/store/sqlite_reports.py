"""People's reports in the SQLite file: a row each, with the picture that was attached."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

from gazecrop.errors import StoreAway
from gazecrop.store.base import Report
from gazecrop.store.sqlite_file import open_reader

NEXT = "SELECT number, document, picture FROM reports WHERE number > ? ORDER BY number LIMIT 1"
FORGET_PICTURES = """
    UPDATE reports SET picture = NULL, bytes = length(document) WHERE id = ? AND picture IS NOT NULL"""


def add(connection: Connection, report: Report, limit: int) -> bool:
    """False when all reports would be larger than `limit` bytes."""
    document = json.dumps(report.document, ensure_ascii=False).encode()
    size = len(document) + len(report.picture or b"")
    if total(connection) + size > limit:
        return False
    row = (report.document["id"], size, document, report.picture)
    connection.execute("INSERT INTO reports (id, bytes, document, picture) VALUES (?, ?, ?, ?)", row)
    return True


def forget(connection: Connection, id: str) -> None:
    """Deletes the pictures of reports about `id`."""
    connection.execute(FORGET_PICTURES, (id,))


def total(connection: Connection) -> int:
    """Bytes of all reports with their pictures."""
    (size,) = connection.execute("SELECT bytes FROM reports_total").fetchone()
    return int(size)


def read(path: Path) -> Iterator[Report]:
    """All reports of a file, the oldest first, read while a server may be using it. None without a file.

    Raises StoreAway. A row that does not hold a JSON object is skipped.
    """
    if not path.exists():
        return
    try:
        with contextlib.closing(open_reader(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reports'").fetchone():
                return
            number = 0
            # A query for each row: an open one would keep the server from truncating its log.
            while row := connection.execute(NEXT, (number,)).fetchone():
                number, document, picture = row
                with contextlib.suppress(ValueError, TypeError):
                    yield Report(dict(json.loads(document)), picture)
    except sqlite3.Error as error:
        raise StoreAway(log=f"{path}: {error}") from error
