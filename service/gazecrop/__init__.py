"""Gazecrop in a program of your own: three lines from a picture to boxes, without a server.

    import gazecrop
    picture = gazecrop.look("photo.jpg")  # or its bytes, a binary file, a PIL image, a numpy array
    print(picture.crop("16:9").box)       # Box(x=0, y=412, width=4000, height=2250)

The names below are loaded at first use, so that `import gazecrop.crop.grid` does not load ONNX Runtime.
The server's code starts at `pipeline.py`.
"""

import importlib
import os
from typing import TYPE_CHECKING

__version__ = "0.2.0"

# onnxruntime 1.31 for Linux otherwise reports its use to its maker over the network, from its import on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Advice",
    "Alternative",
    "AsyncClient",
    "BadParameters",
    "Box",
    "Client",
    "Constraint",
    "Crop",
    "GazecropError",
    "ModelError",
    "Normalized",
    "Picture",
    "PictureError",
    "Point",
    "Ratio",
    "SaliencyGrid",
    "SettingsError",
    "__version__",
    "cut",
    "from_encoded",
    "look",
]

if TYPE_CHECKING:
    from gazecrop.client import AsyncClient, Client
    from gazecrop.python_api import (
        Advice,
        Alternative,
        BadParameters,
        Box,
        Constraint,
        Crop,
        GazecropError,
        ModelError,
        Normalized,
        Picture,
        PictureError,
        Point,
        Ratio,
        SaliencyGrid,
        SettingsError,
        cut,
        from_encoded,
        look,
    )
else:  # hidden from type checkers, to which every name would exist

    def __getattr__(name):
        """PEP 562. Raises AttributeError for a name that is not public."""
        if name not in __all__:
            raise AttributeError(f"module 'gazecrop' has no attribute {name!r}")
        module = "gazecrop.client" if name in ("AsyncClient", "Client") else "gazecrop.python_api"
        return getattr(importlib.import_module(module), name)

    def __dir__():
        return __all__
