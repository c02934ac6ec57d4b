"""save_image.py FILE: saves an image in the project of the current folder."""

import sys

import django

django.setup()

from django.core.files.images import ImageFile  # noqa: E402
from wagtail.images import get_image_model  # noqa: E402

with open(sys.argv[1], "rb") as file:
    image = get_image_model()(title="A photograph", file=ImageFile(file, name="photo.jpg"))
    image.save()
print(
    "focal point", image.focal_point_x, image.focal_point_y, image.focal_point_width, image.focal_point_height
)
print("rendition", image.get_rendition("fill-300x300").file.path)
