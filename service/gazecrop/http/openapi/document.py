"""The schema at /openapi.json: what the framework collects, completed by hand."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from gazecrop.http.openapi import schemas

_REF = "#/components/schemas/{model}"
_REFERENCED = (schemas.Problem, schemas.Report)  # models that only hand-written parts refer to


class Api(FastAPI):
    """The framework's application with the completed schema, which is built at its first request (50 ms)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_api_route("/openapi.json", self._serve, include_in_schema=False)

    async def _serve(self) -> Response:
        return JSONResponse(self.openapi())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """Adds the models of `_REFERENCED` and the security scheme. Removes the 422 that the framework documents for every
    path parameter: it never occurs, as a path segment is always a valid string."""
    _, models = models_json_schema([(model, "serialization") for model in _REFERENCED], ref_template=_REF)
    components = schema.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | models["$defs"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for operation in (one for path in schema["paths"].values() for one in path.values()):
        if "application/json" in operation["responses"].get("422", {}).get("content", {}):
            del operation["responses"]["422"]
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "If GAZECROP_API_KEYS is set."}
    }
    schema["security"] = [{}, {"key": []}]
    return schema
