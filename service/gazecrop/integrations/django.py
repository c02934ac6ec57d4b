"""Focal points for Django's ImageField, from Gazecrop when a picture is saved.

    class Photo(models.Model):
        file = models.ImageField()
        focal_x = models.FloatField(null=True, blank=True)
        focal_y = models.FloatField(null=True, blank=True)

    keep_focal_point(Photo, "file", x="focal_x", y="focal_y")  # below the model, or in AppConfig.ready()

Settings: GAZECROP_URL is the service's address; without it the network runs in this process. GAZECROP_API_KEY,
GAZECROP_TIMEOUT (seconds, 10). Where Gazecrop fails, the log has a warning and the picture is saved without a point;
the next save tries again. A point that is set is never changed: to have it made anew, set both fields to None.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models.signals import pre_save

from gazecrop.integrations.remote import document_of

log = logging.getLogger("gazecrop")


def keep_focal_point(model: type[Any], field: str, *, x: str, y: str) -> Callable[..., None]:
    """Fills the model's fields `x` and `y`, in fractions of the upright picture, before a save that finds both None.
    The point is the middle of the subject. Returns the receiver of `pre_save`, which is connected."""

    def receiver(sender: Any, instance: Any, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
        untouched = update_fields is not None and not {x, y} & set(update_fields)
        if raw or untouched or not getattr(instance, field):
            return
        if getattr(instance, x) is not None or getattr(instance, y) is not None:
            return
        if (crop := subject_of(getattr(instance, field))) is not None:
            part = crop["normalized"]
            setattr(instance, x, round(part["x"] + part["width"] / 2, 4))
            setattr(instance, y, round(part["y"] + part["height"] / 2, 4))

    pre_save.connect(
        receiver, sender=model, weak=False, dispatch_uid=f"gazecrop.{model.__qualname__}.{field}"
    )
    return receiver


def subject_of(file: Any) -> dict[str, Any] | None:
    """The crop around the subject of a FieldFile: its JSON, `box` in pixels and `normalized` in fractions, and its
    `fields` for Wagtail; None, with a line in the log, where there is none."""
    try:
        return crops_of(file, {"ratios": "1:1", "zoom": "auto", "fill": "0.9", "fields": "wagtail"})[0]
    except Exception as error:  # a picture is saved in any case
        log.warning("no focal point of %s: %s", getattr(file, "name", file), error)
        return None


def crops_of(file: Any, parameters: dict[str, str]) -> list[dict[str, Any]]:
    """The JSON of the crops of a FieldFile, by the parameters of the HTTP API. The file stays as it was: open at its
    beginning, or closed. Raises OSError, ServiceError, GazecropError."""
    closed = file.closed
    file.open("rb")
    try:
        data: bytes = file.read()
    finally:
        if closed:
            file.close()
        else:
            file.seek(0)
    if url := getattr(settings, "GAZECROP_URL", None):
        key = getattr(settings, "GAZECROP_API_KEY", None)
        timeout = float(getattr(settings, "GAZECROP_TIMEOUT", 10))
        crops: list[dict[str, Any]] = document_of(data, parameters, url=url, key=key, timeout=timeout)[
            "crops"
        ]
        return crops
    return _here(data, parameters)


def _here(data: bytes, parameters: dict[str, str]) -> list[dict[str, Any]]:
    import gazecrop

    options: dict[str, Any] = dict(parameters)
    if "fill" in options:
        options["fill"] = float(options["fill"])
    crops = gazecrop.look(data).crops(options.pop("ratios", ""), **options)
    return [
        {"box": crop.box._asdict(), "normalized": crop.normalized._asdict(), "fields": crop.fields}
        for crop in crops
    ]
