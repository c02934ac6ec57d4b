"""The schema at /openapi.json: what the framework collects, completed by hand."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from gazecrop.http.openapi import schemas
from gazecrop.http.problems import AZURE, GOOGLE, THUMBNAIL

OPEN, METRICS = ("/healthz", "/readyz"), "/metrics"
_KEYS = "One of GAZECROP_API_KEYS"
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": f"{_KEYS}. If any is set, every path below /v1/, /computervision/ and /vision/ needs one. The "
        "probes, the page with its files, /docs and /openapi.json are open, and /metrics has its own key. Without keys "
        "the server listens on loopback only, with keys on every address; GAZECROP_HOST names another.",
    },
    "metrics": {
        "type": "http",
        "scheme": "bearer",
        "description": "GAZECROP_METRICS_KEY. If it is not set, /metrics is open, even if GAZECROP_API_KEYS is set.",
    },
    "google": {"type": "apiKey", "in": "header", "name": "X-Goog-Api-Key", "description": f"{_KEYS}."},
    "googleQuery": {"type": "apiKey", "in": "query", "name": "key", "description": f"{_KEYS}."},
    "azure": {
        "type": "apiKey",
        "in": "header",
        "name": "Ocp-Apim-Subscription-Key",
        "description": f"{_KEYS}.",
    },
}
_REF = "#/components/schemas/{model}"
_REFERENCED = (schemas.Problem, schemas.Report)  # models that only hand-written parts refer to


class Api(FastAPI):
    """The framework's application with the completed schema, which is built at its first request (50 ms)."""

    def __init__(self, *, keys: bool, metrics_key: bool, **options: Any) -> None:
        """keys, metrics_key: whether the settings have any."""
        super().__init__(**options)
        self._required = {"key": keys, "metrics": metrics_key}
        self.add_api_route("/openapi.json", self._serve, include_in_schema=False)

    async def _serve(self) -> Response:
        return JSONResponse(self.openapi())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi(), self._required)
        return self.openapi_schema


def complete(schema: dict[str, Any], required: dict[str, bool]) -> dict[str, Any]:
    """Adds the models of `_REFERENCED` and the security schemes. Removes the 422 that the framework documents for every
    path parameter: it never occurs, as a path segment is always a valid string."""
    _, models = models_json_schema([(model, "serialization") for model in _REFERENCED], ref_template=_REF)
    components = schema.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | models["$defs"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
            operation["security"] = _security(path, required)
    components["securitySchemes"] = _SCHEMES
    return schema


def _security(path: str, required: dict[str, bool]) -> list[dict[str, list[str]]]:
    """The schemes of an operation, of which one is enough. An empty one: no key is needed."""
    if path in OPEN:
        return []
    schemes = {METRICS: ("metrics",), GOOGLE: ("key", "google", "googleQuery"), AZURE: ("key", "azure")}
    schemes[THUMBNAIL] = schemes[AZURE]
    names = schemes.get(path, ("key",))
    return [*([] if required[names[0]] else [{}]), *({name: list[str]()} for name in names)]
