"""Stores for maps, people's focal points and reports."""

from gazecrop.settings import Settings
from gazecrop.store.base import Store


def open_store(settings: Settings) -> Store:
    """Redis when `REDIS_URL` is set, else the SQLite file of `data_dir`.

    Raises StoreAway, whose log text says what to fix. Redis is not contacted yet: it may be down at the start.
    """
    if settings.redis_url:
        from gazecrop.store.redis import RedisStore  # 0.1 s to import, which most starts need not spend

        return RedisStore(settings.redis_url, map_days=settings.map_days, max_focus=settings.max_focus)
    from gazecrop.store.sqlite import SqliteStore

    return SqliteStore(
        settings.data_dir / "gazecrop.db", megabytes=settings.store_megabytes, max_focus=settings.max_focus
    )
