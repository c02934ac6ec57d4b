"""Gazecrop in a program of your own: three lines from a picture to boxes, without a server.

    import gazecrop
    picture = gazecrop.look("photo.jpg")  # a path, the file's bytes, or a PIL.Image
    print(picture.crop("16:9").box)       # Box(x=0, y=412, width=4000, height=2250)

The names below are loaded at first use, so that `import gazecrop.crop.grid` does not load ONNX Runtime.
The server's code starts at `pipeline.py`.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# onnxruntime 1.31 for Linux otherwise reports its use to its maker over the network, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from gazecrop.library import (
        BadParameters,
        Box,
        Crop,
        GazecropError,
        ModelError,
        Picture,
        PictureError,
        Point,
        SaliencyGrid,
        from_encoded,
        look,
    )

__all__ = [
    "BadParameters",
    "Box",
    "Crop",
    "GazecropError",
    "ModelError",
    "Picture",
    "PictureError",
    "Point",
    "SaliencyGrid",
    "__version__",
    "from_encoded",
    "look",
]


def __getattr__(name: str) -> Any:
    """PEP 562. Raises AttributeError for a name that is not public."""
    if name not in __all__:
        raise AttributeError(f"module 'gazecrop' has no attribute {name!r}")
    return getattr(importlib.import_module("gazecrop.library"), name)


def __dir__() -> list[str]:
    return __all__
