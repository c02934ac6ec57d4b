"""What `import gazecrop` gives: from a picture to boxes without a server.

    picture = gazecrop.look("photo.jpg")
    crop = picture.crop("16:9")
    Image.open("photo.jpg").crop(crop.box.ltrb)

The network is loaded at the first `look`; `GAZECROP_MODEL`, `GAZECROP_DEVICE` and the other settings apply.
"""

from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.points import Point
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters, GazecropError, PictureError
from gazecrop.model import ModelError
from gazecrop.python_api.analysis import from_encoded, look
from gazecrop.python_api.cutting import cut
from gazecrop.python_api.picture import Picture
from gazecrop.python_api.results import Advice, Alternative, Crop, Normalized
from gazecrop.settings import SettingsError

__all__ = [
    "Advice",
    "Alternative",
    "BadParameters",
    "Box",
    "Constraint",
    "Crop",
    "GazecropError",
    "ModelError",
    "Object",
    "Normalized",
    "Picture",
    "PictureError",
    "Point",
    "Ratio",
    "SaliencyGrid",
    "SettingsError",
    "cut",
    "from_encoded",
    "look",
]
