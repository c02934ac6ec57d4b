"""A real Wagtail 8.0.1 and its Django: images and pictures that are saved have Gazecrop's focal point."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

import gazecrop
from tests.conftest import Server, free_port
from tests.helpers.environments import python_environment
from tests.helpers.shipping import text
from tests.integrations.test_sharp import turned
from tests.integrations.test_thumbor import place

pytestmark = pytest.mark.long

SETTINGS = """
import os
INSTALLED_APPS += ["gazecrop.integrations.wagtail.FocalPoints", "photos"]
WAGTAILIMAGES_EXTENSIONS = ["jpg", "png", "svg"]
GAZECROP_URL = os.environ.get("SERVICE")
GAZECROP_API_KEY = "right"
GAZECROP_TIMEOUT = 30
"""
# The model of the page.
[MODELS] = re.findall(
    r"^```text\n(from gazecrop\.integrations\.django.*?)^```$", text("docs/integrations.md"), re.M | re.S
)
MODELS = f"from django.db import models\n{MODELS}"
PROGRAM = """
import json, logging, sys
import django
django.setup()
from django.core.files.base import ContentFile
from django.core.files.images import ImageFile
from django.test import Client
from django.urls import reverse
from wagtail.images.models import Image
from photos.models import Photo

def point(image):
    image.refresh_from_db()
    return [image.focal_point_x, image.focal_point_y, image.focal_point_width, image.focal_point_height]

def saved(file, **fields):
    with open(file, "rb") as opened:
        image = Image(title="a", file=ImageFile(opened, name="a.jpg"), **fields)
        image.save()
    return image

def rendition(image, spec):
    return image.get_rendition(spec + "|format-png").file.path
"""
SAVE = """
image = saved(sys.argv[1])
print(json.dumps({"point": point(image), "hash": image.get_file_hash(), "fill": rendition(image, sys.argv[2])}))
"""
PEOPLE = """
out = {}
person = dict(focal_point_x=10, focal_point_y=20, focal_point_width=30, focal_point_height=40)
own = saved(sys.argv[1], **person)
out["given at the upload"] = point(own)
image = saved(sys.argv[1])
out["of gazecrop"] = point(image)
for name, value in person.items():
    setattr(image, name, value)
image.save()
out["drawn later"] = point(image)
image.title = "b"
image.save()
out["after another change"] = point(image)
image.set_focal_point(None)
image.save(update_fields=["title"])
out["without its fields"] = point(image)
image.set_focal_point(None)
image.save()
out["removed"] = point(image)
vector = Image(title="v", file=ContentFile(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>', "a.svg"))
vector.save()
out["vector"] = point(vector)
print(json.dumps(out))
"""
ADMIN = """
from django.contrib.auth import get_user_model
client = Client()
client.force_login(get_user_model().objects.create_superuser("a", "a@b.example", "c"))
with open(sys.argv[1], "rb") as opened:
    answer = client.post(reverse("wagtailimages:add"), {"title": "admin's", "file": opened}, HTTP_HOST="localhost")
print(json.dumps({"status": answer.status_code, "point": point(Image.objects.get(title="admin's"))}))
"""
DJANGO = """
def photo(**fields):
    with open(sys.argv[1], "rb") as opened:
        one = Photo(file=ImageFile(opened, name="a.jpg"), **fields)
        one.save()
    one.refresh_from_db()
    return one, [one.focal_x, one.focal_y]

one, found = photo()
_, own = photo(focal_x=0.1, focal_y=0.2)
size = one.file.size
one.focal_x = one.focal_y = None
one.save()
again = Photo.objects.get(pk=one.pk)
print(json.dumps({"found": found, "own": own, "again": [again.focal_x, again.focal_y], "size": size}))
"""
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(program, *arguments, service=) in a new project with a migrated database: the JSON that it prints last, and
    its log as `log`."""
    programs = python_environment("wagtail", "wagtail==8.0.1")
    folder = tmp_path_factory.mktemp("wagtail")
    python, environment = (
        str(programs / "python"),
        {name: value for name, value in os.environ.items() if not name.startswith(("GAZECROP_", "DJANGO_"))},
    )
    environment |= {"DJANGO_SETTINGS_MODULE": "site_.settings.dev", "GAZECROP_DEVICE": "cpu"}

    def call(*program: str, service: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            program,
            cwd=folder,
            env=environment | ({"SERVICE": service} if service else {}),
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    call(str(programs / "wagtail"), "start", "site_", str(folder))
    with (folder / "site_" / "settings" / "base.py").open("a") as settings:
        settings.write(SETTINGS)
    (folder / "photos").mkdir()
    (folder / "photos" / "__init__.py").write_text("")
    (folder / "photos" / "models.py").write_text(MODELS)
    call(python, "manage.py", "makemigrations", "photos")
    call(python, "manage.py", "migrate", "--verbosity", "0")

    def run(program: str, *arguments: object, service: str = "") -> Any:
        (folder / "program.py").write_text(PROGRAM + program)
        done = call(python, "program.py", *map(str, arguments), service=service)
        return json.loads(done.stdout.splitlines()[-1]) | {"log": done.stderr}

    return run


def subject(file: Path) -> gazecrop.Box:
    return gazecrop.look(file).crop("1:1", zoom="auto", fill=0.9).box


def fields(box: gazecrop.Box) -> list[int]:
    return [box.x + box.width // 2, box.y + box.height // 2, box.width, box.height]


def holds(outer: gazecrop.Box, inner: gazecrop.Box) -> bool:
    (left, top, right, bottom), (x, y, end, low) = outer.ltrb, inner.ltrb
    return left <= x and top <= y and end <= right and low <= bottom


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_image_has_the_subject_as_its_focal_area(
    run: Run, photo: Callable[[str], Path], tmp_path: Path, orientation: int
) -> None:
    """The largest 25:64 box of the astronaut holds the subject only with it; a file that is stored turned as well."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(turned(photo("astronaut"), orientation))
    box = subject(file)
    found = run(SAVE, file, "fill-200x512")
    assert found["point"] == fields(box)
    with Image.open(file) as image, Image.open(found["fill"]) as cut:
        # Wagtail rounds the box, and scales it by up to a pixel; a box two pixels further differs by 12 levels.
        kept = place(cut.convert("RGB"), ImageOps.exif_transpose(image), most=8)
    inner = gazecrop.Box(box.x + 2, box.y + 2, box.width - 4, box.height - 4)
    assert holds(kept, inner) and not holds(gazecrop.Box(156, 0, 200, 512), inner)


def test_over_http(run: Run, photo: Callable[[str], Path], start_server: Callable[..., Server]) -> None:
    service = start_server(GAZECROP_API_KEYS="right")
    found = run(SAVE, photo("rocket"), "fill-300x300", service=service.url)
    assert found["point"] == fields(subject(photo("rocket")))
    assert "/v1/images" in service.log.read_text()


def test_without_the_service_an_image_is_saved_all_the_same(run: Run, photo: Callable[[str], Path]) -> None:
    found = run(SAVE, photo("rocket"), "fill-300x300", service=f"http://127.0.0.1:{free_port()}")
    assert found["point"] == [None] * 4 and found["hash"]
    assert "no focal point of" in found["log"]


def test_a_person_s_focal_area_is_kept(run: Run, photo: Callable[[str], Path]) -> None:
    found = run(PEOPLE, photo("rocket"))
    own, ours = [10, 20, 30, 40], fields(subject(photo("rocket")))
    assert {name: point for name, point in found.items() if name != "log"} == {
        "given at the upload": own,
        "of gazecrop": ours,
        "drawn later": own,
        "after another change": own,
        "without its fields": own,
        "removed": ours,
        "vector": [None] * 4,
    }


def test_an_upload_in_the_admin(run: Run, photo: Callable[[str], Path]) -> None:
    found = run(ADMIN, photo("astronaut"))
    assert found["status"] == 302 and found["point"] == fields(subject(photo("astronaut")))


@pytest.mark.parametrize("remote", [False, True])
def test_a_picture_of_a_model_of_django(
    run: Run, photo: Callable[[str], Path], remote: bool, start_server: Callable[..., Server]
) -> None:
    service = start_server(GAZECROP_API_KEYS="right").url if remote else ""
    file = photo("rocket")
    found = run(DJANGO, file, service=service)
    part = gazecrop.look(file).crop("1:1", zoom="auto", fill=0.9).normalized
    middle = [round(part.x + part.width / 2, 4), round(part.y + part.height / 2, 4)]
    assert found["found"] == found["again"] == middle
    assert found["own"] == [0.1, 0.2] and found["size"] == file.stat().st_size
