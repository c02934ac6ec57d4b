"""A typed client of the HTTP API: `gazecrop.Client` and `gazecrop.AsyncClient`, which need the extra [client].

client = gazecrop.Client("http://127.0.0.1:8000", key="KEY")
image = client.upload("photo.jpg", ratios=["16:9", "1:1"])
print(image.crops[0].box)
"""

try:
    import httpx as httpx
except ImportError:
    raise ImportError(
        "gazecrop.Client needs httpx, the extra [client]: pip install 'PATH/TO/gazecrop[client]'"
    ) from None

from gazecrop.client.asynchronous import AsyncClient
from gazecrop.client.failures import NotReached, UnknownProblem
from gazecrop.client.results import Crop, Focus, Image, Rendered, Saliency
from gazecrop.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Client",
    "Crop",
    "Focus",
    "Image",
    "NotReached",
    "Rendered",
    "Saliency",
    "UnknownProblem",
]
