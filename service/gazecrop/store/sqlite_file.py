"""Opens the SQLite file. A missing one is made; a foreign or broken one is refused with its path in the text."""

import errno
import logging
import os
import sqlite3
import time
from pathlib import Path
from sqlite3 import Connection
from urllib.parse import quote

from gazecrop.errors import StoreAway

log = logging.getLogger(__name__)

APPLICATION = 0x475A4350  # "GZCP" in the file's header: identifies our files
VERSION = 2  # 2: with people's reports, whose pictures a deletion must find
# How long a process waits for another that writes to the same file; then the client gets 503.
BUSY_SECONDS = 2.0
# A reader waits only while a writer recovers the log after a crash. The wait blocks the event loop, so it is short.
BUSY_READ_SECONDS = 0.05

# The triggers keep the total size of the reports: it changes in the same transaction as the rows, so it cannot drift.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS maps (id TEXT NOT NULL UNIQUE, value BLOB NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS maps_used ON maps (used);
CREATE TABLE IF NOT EXISTS focus (id TEXT PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL,
    revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (number INTEGER PRIMARY KEY, id TEXT NOT NULL, bytes INTEGER NOT NULL,
    document BLOB NOT NULL, picture BLOB);
CREATE INDEX IF NOT EXISTS reports_id ON reports (id);
CREATE TABLE IF NOT EXISTS reports_total (bytes INTEGER NOT NULL);
INSERT INTO reports_total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM reports_total);
CREATE TRIGGER IF NOT EXISTS report_added AFTER INSERT ON reports
    BEGIN UPDATE reports_total SET bytes = bytes + new.bytes; END;
CREATE TRIGGER IF NOT EXISTS report_changed AFTER UPDATE OF bytes ON reports
    BEGIN UPDATE reports_total SET bytes = bytes + new.bytes - old.bytes; END;
CREATE TRIGGER IF NOT EXISTS report_removed AFTER DELETE ON reports
    BEGIN UPDATE reports_total SET bytes = bytes - old.bytes; END;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def open_file(path: Path) -> Connection:
    """The writing connection, for one thread at a time. Raises StoreAway with the reason and the path."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):  # SQLite makes two files beside it
            raise PermissionError(errno.EACCES, f"no permission to write to {path.parent}")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreAway(log=f"{path} cannot be written: {error.strerror}. Set GAZECROP_DATA_DIR.") from error
    _make_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        advice = "Free some space on its disk." if is_full(error) else "Restore a copy, or remove it."
        raise StoreAway(log=f"{path} cannot be used: {error}. {advice}") from error
    except StoreAway:
        connection.close()
        raise
    return connection


def is_full(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # an error of the module itself has none
    return code is not None and code & 0xFF == sqlite3.SQLITE_FULL


def open_reader(path: Path) -> Connection:
    """A read-only connection. Call `open_file` first."""
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=BUSY_READ_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _make_private(path: Path) -> None:
    """Mode 0600, because the file holds the key of the ids. SQLite gives its two side files the same mode."""
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        log.warning("%s is readable by other users and its mode cannot be changed: %s", path, error.strerror)


def _prepare(connection: Connection, path: Path) -> None:
    connection.execute("BEGIN")  # one snapshot: another process may be making the file
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if tables and application != APPLICATION:
        raise StoreAway(log=f"{path} belongs to another program. Set GAZECROP_DATA_DIR, or remove it.")
    if version > VERSION:
        raise StoreAway(log=f"{path} was made by a newer Gazecrop (layout {version}, here {VERSION}).")
    if not tables:
        # Lets a lowered limit return evicted pages; possible only before the first table is made.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_log(connection)
    # A report's picture may have 20 MB. After the next checkpoint the log is truncated to its usual size.
    connection.execute("PRAGMA journal_size_limit = 4194304")
    connection.executescript(SCHEMA)
    # Only the tables of people's input: checking every map would take seconds in a file of a gigabyte.
    for table in ("focus", "secrets"):
        (verdict,) = connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)


def _use_log(connection: Connection) -> None:
    """Turns on the write-ahead log. SQLite itself does not wait for another process doing the same."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise sqlite3.OperationalError(f"its file system allows no write-ahead log (mode {mode})")
