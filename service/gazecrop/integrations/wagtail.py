"""Focal points of Wagtail's images, from Gazecrop when an image is saved. In the project's settings:

    INSTALLED_APPS = [..., "gazecrop.integrations.wagtail.FocalPoints"]
    GAZECROP_URL = "http://127.0.0.1:8000"  # of the service; without it the network runs in this process

The focal area is the subject: Wagtail's `fill` keeps it in the picture, and with `-c100` zooms to it. It is filled
before a save that finds none, as by Wagtail's own feature detection, so that an area that a person has drawn is never
changed. To have it made anew, remove it and save. Errors and the other settings: gazecrop.integrations.django.
"""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_save

from gazecrop.integrations.django import subject_of

FIELDS = ("focal_point_x", "focal_point_y", "focal_point_width", "focal_point_height")


class FocalPoints(AppConfig):
    name = "gazecrop.integrations.wagtail"
    label = "gazecrop"

    def ready(self) -> None:
        from wagtail.images import get_image_model

        pre_save.connect(before_save, sender=get_image_model(), dispatch_uid="gazecrop")


def before_save(sender: Any, instance: Any, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
    untouched = update_fields is not None and not set(FIELDS) & set(update_fields)
    if not raw and not untouched and not instance.has_focal_point():
        fill_focal_point(instance)


def fill_focal_point(image: Any) -> bool:
    """Sets the four fields of an image, which is not saved. False, with a line in the log, where it cannot."""
    if image.is_svg() or (crop := subject_of(image.file)) is None:
        return False
    for name, value in crop["fields"]["wagtail"].items():
        setattr(image, name, value)
    return True
