"""/openapi.json: complete, and correct by schemathesis. (`contract.py` checks the responses of the other tests.)"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gazecrop.app import create_app
from tests.conftest import Server, serving
from tests.helpers.pictures import jpeg


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app().api.openapi()


def test_every_resource_of_the_contract_is_in_it(document: dict[str, Any]) -> None:
    found = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert found == {
        "POST /v1/images", "GET /v1/images/{id}", "DELETE /v1/images/{id}", "GET /v1/images/{id}/crops",
        "GET /v1/images/{id}/crops/{ratio}", "GET /v1/images/{id}/picture",
            "GET /v1/images/{id}/saliency", "GET /v1/images/{id}/focus",
        "PUT /v1/images/{id}/focus", "DELETE /v1/images/{id}/focus", "POST /v1/crop", "POST /v1/explain",
        "POST /v1/reports", "POST /v1/events/s3",
        "GET /healthz", "GET /readyz", "GET /metrics", "POST /v1/images:annotate",
        "POST /computervision/imageanalysis:analyze", "POST /vision/v3.2/generateThumbnail",
    }  # fmt: skip


def test_it_names_the_licence(document: dict[str, Any]) -> None:
    assert document["info"]["license"]["identifier"] == "Apache-2.0"


def test_every_reference_resolves_and_every_schema_is_used(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= schemas and schemas - references == set()


def test_every_operation_has_a_summary_and_no_500(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"] and operation["tags"], path
            assert not [status for status in operation["responses"] if status.startswith("500")], path
            needs_key = not path.startswith(("/healthz", "/readyz"))
            assert ({"401", "403"} <= operation["responses"].keys()) == needs_key, path
            for parameter in operation.get("parameters", []):
                assert (
                    parameter["in"] == "path"
                    or parameter.get("description")
                    or path.startswith(("/computer", "/vision"))
                )


def test_it_states_when_an_optional_key_of_a_response_is_absent(document: dict[str, Any]) -> None:
    sent = {"Report", "Contested", "Fractions"}  # models of requests
    optional = {
        (model, name): property
        for model, schema in document["components"]["schemas"].items()
        for name, property in schema["properties"].items()
        if model not in sent and name not in schema.get("required", ())
    }
    assert {
        ("Picture", "orientation"),
        ("Links", "iiif"),
        ("Crop", "css"),
        ("Crop", "profile"),
    } <= optional.keys()
    for key, property in optional.items():
        assert "Absent" in property.get("description", ""), key


def test_the_reference_shows_this_document(api: httpx.Client, document: dict[str, Any]) -> None:
    assert api.get("/openapi.json").json() == document


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A separate service: the focal points and reports left here do not affect other tests."""
    with serving(tmp_path_factory.mktemp("fuzzed")) as running:
        yield running


@pytest.fixture(scope="module")
def real(fuzzed: Server) -> tuple[bytes, str]:
    """A picture, and the id of its map and focus."""
    picture = jpeg(160, 120, seed=900)
    id = httpx.post(f"{fuzzed.url}/v1/images", content=picture, timeout=30).json()["id"]
    httpx.put(f"{fuzzed.url}/v1/images/{id}/focus", json={"x": 0.2, "y": 0.3})
    return picture, id


def check(case: Any, fuzzed: Server, real: tuple[bytes, str]) -> None:
    """Uses the real id, as the tests would otherwise get only 404; half of the uploads of files are a picture."""
    picture, id = real
    if "id" in (case.path_parameters or {}) and case.method != "DELETE":
        case.path_parameters["id"] = id
    if isinstance(case.body, bytes) and len(case.body) % 2 and case.media_type != "application/json":
        case.body = picture
    # That check has no rules beyond JSON schema: ratios from 1:20 to 20:1, boxes inside the picture, real pictures.
    excluded = [positive_data_acceptance]
    if isinstance(case.body, dict) and any(value == [] for value in case.body.values()):
        excluded.append(negative_data_rejection)  # a form has no field for an empty array: it is not sent
    case.call_and_validate(base_url=fuzzed.url, excluded_checks=excluded)


# 503, 504 and 507 are documented responses; 500 is not.
EXPECTED = {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503", "504", "507"]}}


def schema_of(**phases: Any) -> OpenApiSchema:
    config = schemathesis.Config.from_dict({"checks": EXPECTED, "phases": phases})
    return schemathesis.openapi.from_dict(create_app().api.openapi(), config=config)


quick, thorough = schema_of(coverage={"enabled": False}), schema_of()
fuzzing = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)


@quick.parametrize()
@settings(fuzzing, max_examples=20)
def test_schemathesis_finds_nothing(case: Any, fuzzed: Server, real: tuple[bytes, str]) -> None:
    check(case, fuzzed, real)


@pytest.mark.long
@thorough.parametrize()
@settings(fuzzing, max_examples=100)
def test_schemathesis_finds_nothing_in_a_hundred(case: Any, fuzzed: Server, real: tuple[bytes, str]) -> None:
    check(case, fuzzed, real)
