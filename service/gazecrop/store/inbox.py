"""The inbox: people's reports about crops, kept in the store, with the pictures that they chose to attach."""

import secrets
import time
from typing import Any

from gazecrop.store.base import Report, Store


class Inbox:
    """In the store, so that all replicas share it, and a picture's deletion finds the copies of it in reports."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, report: dict[str, Any], picture: bytes | None) -> str:
        """Stores a report, durably. Returns its id. `report["id"]` is the picture's. Raises StoreFull, StoreAway."""
        number = secrets.token_hex(8)
        document = {"report": number, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} | report
        if picture is not None:
            document["picture"] = f"{report['id']}-{number}"
        await self._store.add_report(Report(document, picture))
        return number
