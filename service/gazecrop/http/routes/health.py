"""Probes and metrics. Alive: the event loop runs. Ready: the network has passed its self-test (the server does not
listen before), and the process is not draining. Neither depends on the store: it is a cache, and an unavailable store
must not take down every replica. Its state is in `gazecrop_store_up`."""

from fastapi import APIRouter, Request, Response

from gazecrop.errors import Draining
from gazecrop.http.openapi.responses import METRICS, responses
from gazecrop.http.openapi.schemas import Alive, Ready
from gazecrop.http.routes.shared import json_answer, parts_of

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Alive: the event loop runs", responses=responses({200: Alive}))
async def alive() -> Response:
    return json_answer({"status": "alive"})


@router.get("/readyz", summary="Ready to serve", responses=responses({200: Ready}, 503))
async def ready(request: Request) -> Response:
    parts = parts_of(request)
    if parts.draining:
        raise Draining("This server is shutting down.")
    return json_answer(
        {
            "status": "ready",
            "model": parts.model.name,
            "provider": parts.model.provider,
            "store": parts.maps.store_up,
        }
    )


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    responses=responses({200: METRICS}, 401, 403),
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    content, content_type = parts_of(request).metrics.render(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": content_type})
