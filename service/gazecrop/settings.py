"""Every setting on one screen: `GAZECROP_*`, and `PORT` and `REDIS_URL`, which platforms set by custom."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _cores() -> int:
    """Cores this process may use (a container's cpuset counts, its quota does not)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Read once at start; a wrong value stops the start with its name."""

    model_config = SettingsConfigDict(env_prefix="GAZECROP_", extra="ignore", frozen=True)

    # Where it listens. None: loopback without keys, every address with keys.
    host: str | None = None
    port: int = Field(8000, ge=0, le=65535, validation_alias="PORT")
    # Keys, comma-separated; with any set, every call needs one. id_key: secret behind the ids (any string).
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    id_key: SecretStr | None = None

    # The network.
    model: str = ""  # a name of model_store/manifest.json; empty: its default
    device: Literal["auto", "cpu", "cuda"] = "auto"  # cuda: refuse to start without it
    precision: Literal["auto", "fp32", "int8"] = "auto"  # auto: int8 where the processor has VNNI
    workers: int = Field(default_factory=_cores, ge=1, le=256)  # threads that decode, and on a CPU infer
    max_batch: int = Field(0, ge=0, le=128)  # 0: 1 on a CPU (8 is 0.82x as fast there), 16 on a GPU

    # Limits of one picture. JPEG decodes scaled, so it may be larger than what must be decoded in full.
    max_bytes: int = Field(20_000_000, ge=1_000)
    max_google_body_bytes: int = Field(40_000_000, ge=1_000)  # of images:annotate: JSON, pictures in base64
    max_megapixels_jpeg: float = Field(100.0, gt=0, le=1000)
    max_megapixels: float = Field(30.0, gt=0, le=178)
    # Of a crop as it is sent; AVIF and PNG half of it. 8192x8192 took 1.7 GB as AVIF and 14 s as PNG.
    max_megapixels_out: float = Field(24.0, ge=0.1, le=100)
    max_jpeg_scans: int = Field(
        64, ge=1, le=1000
    )  # real files have at most about 12; 3,000 empty ones cost 4 s
    # Limits of all at once. Pixels that must be held in memory while decoding; 503 above.
    max_megapixels_in_flight: float = Field(200.0, gt=0)
    max_body_megabytes_in_flight: float = Field(256.0, gt=0)  # of bodies read and not yet answered; 503 above
    max_queue: int = Field(64, ge=1)  # uploads that wait for a decoder: about 2 s of work on two cores
    body_seconds: float = Field(30.0, gt=0)  # for a whole body
    drain_seconds: float = Field(20.0, ge=0)  # from SIGTERM to the last answer

    # Stores. The embedded SQLite file by default.
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")
    data_dir: Path = Path("data")
    store_megabytes: int = Field(1024, ge=1)  # of the SQLite file; the least recently used maps go first
    memory_megabytes: int = Field(32, ge=1)  # of decoded maps in memory, about 30 kB each
    map_days: float = Field(30.0, gt=0)  # time to live of a map in Redis
    max_focus: int = Field(100_000, ge=0)  # focal points of people; then 507

    # Answers.
    cache_control: str = "no-cache"  # of GETs without ?v=
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    reports: bool = True  # POST /v1/reports
    reports_megabytes: int = Field(200, ge=1)  # of the inbox, pictures that people added included; then 507
    reports_per_hour: int = Field(60, ge=1)  # for each address
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def address(self) -> str:
        """Without keys anyone who reaches the port may use it, so it stays on loopback unless told otherwise."""
        return self.host or ("0.0.0.0" if self.api_keys else "127.0.0.1")
