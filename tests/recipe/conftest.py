"""A small set of the recipe's data."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from model_store.recipe import data, detections
from model_store.recipe.judge import whole_objects
from tests.helpers.networks import picture_with_objects


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures with one face and one line each, one of a collection without labels; and a network that finds
    them: tests/helpers/networks.py."""
    folder = tmp_path / "data"
    folder.mkdir()
    with tarfile.open(folder / "gaze-000.tar", "w") as archive:
        for key, collection, split in (
            ("a", "osie", "val"),
            ("b", "mit1003", "train"),
            ("c", "cv2course", "val"),
        ):
            seen = [[0.5, 0.5], *[[0.1 * i, 0.3] for i in range(9)]]  # the first one is dropped
            about = {"dataset": collection, "split": split, "width": 320, "height": 240, "observers": [seen]}
            for name, content in (
                (f"{key}.jpg", picture_with_objects()),
                (f"{key}.json", json.dumps(about).encode()),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    face, line = [0.68, 0.21, 0.11, 0.15, 0.9], [0.17, 0.83, 0.18, 0.035, 0.9]
    listed = {"faces": {"a": [face], "b": [face]}, "text": {"a": [line]}}
    (folder / "objects.json.gz").write_bytes(gzip.compress(json.dumps(listed).encode()))
    for module in (detections, whole_objects):
        monkeypatch.setattr(module, "DATA", folder)
    monkeypatch.setattr(data, "DATA", folder)
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    monkeypatch.setenv("GAZECROP_DEVICE", "cpu")
    return store
