"""Every setting, with its unit and its reason. Variables are `GAZECROP_` and the name in capitals; `PORT` and
`REDIS_URL` have no prefix, because hosting platforms set them under these names."""

import base64
import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gazecrop import machine
from gazecrop.sources.addresses import networks
from gazecrop.sources.urls import UrlError, parse_prefix

WARM_BYTES = 180_000_000  # a process with the network loaded and warmed, on a CPU
LEAST_BUDGET = 64_000_000  # bytes for requests: less refuses pictures of a few megapixels
SPARE = 0.1  # of all memory, for fragmentation and for what is not counted


class Settings(BaseSettings):
    """Read once at start. A wrong value stops the start, and the message names its variable."""

    model_config = SettingsConfigDict(
        env_prefix="GAZECROP_", extra="ignore", frozen=True, allow_inf_nan=False
    )

    # Address. Default host: loopback without API keys, every address with keys.
    host: str | None = None
    port: int = Field(8000, ge=0, le=65535, validation_alias="PORT")  # 0: any free port
    # Allows a host beyond loopback without API keys: everyone who reaches it may call everything.
    open: bool = False
    # Secret; comma-separated. With at least one, every path below /v1/, /computervision/ and /vision/ needs a key.
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    metrics_key: SecretStr | None = None  # /metrics needs this one; default: it is open
    # Any text; picture ids are hashes keyed with it. Default: a random key kept in the store.
    id_key: SecretStr | None = None

    # Network.
    model_store: Path | None = None  # a folder with a manifest.json; default: the networks in the package
    model: str = ""  # a network's name in the manifest; empty: the manifest's default
    device: Literal["auto", "cpu", "cuda"] = "auto"  # cuda: the start fails when no GPU can be used
    precision: Literal["auto", "fp32", "int8"] = "auto"  # auto: int8 on a CPU with VNNI, else fp32
    workers: int = Field(
        default_factory=machine.cores, ge=1, le=256
    )  # threads that decode, and on a CPU infer
    # Processes that share the address, the limits and the workers; auto: one for two workers. One event loop ends at
    # 280 to 450 uploads of small pictures a second, 2.2 to 3.6 ms each. Each process takes WARM_BYTES.
    processes: int = Field(1, ge=1, le=64)
    max_batch: int = Field(0, ge=0, le=128)  # pictures; 0: 1 on a CPU (8 run at 0.82x speed), 16 on a GPU

    # Limits of one request.
    max_bytes: int = Field(20_000_000, ge=1_000)  # of a picture file
    max_google_body_bytes: int = Field(40_000_000, ge=1_000)  # of a JSON body with base64 pictures
    max_megapixels_jpeg: float = Field(100.0, gt=0, le=1000)  # JPEG can be decoded at a reduced size
    max_megapixels: float = Field(30.0, gt=0, le=178)  # of formats that are decoded at full size
    # Of a rendered crop; AVIF and PNG half of it: 67 megapixels took 1.7 GB as AVIF and 14 s as PNG.
    max_megapixels_out: float = Field(24.0, ge=0.1, le=100)
    # Of all frames of an animation whose crop is animated: 2 to 4 s. Above: an error, or the first frame.
    max_megapixels_animated: float = Field(100.0, ge=0.1, le=1000)
    max_jpeg_scans: int = Field(64, ge=1, le=1000)  # real files: about 12; 3,000 empty scans take 4 s

    # Limits of all requests together; above them the answer is 503, for what can never fit 413.
    memory_megabytes: float | None = Field(
        None, gt=0, le=1e7
    )  # default: the container's limit, or half the machine's
    max_wait_seconds: float = Field(2.0, gt=0, le=3600)  # that an upload may wait for its turn
    body_seconds: float = Field(30.0, gt=0, le=3600)  # to receive one body
    drain_seconds: float = Field(20.0, ge=0, le=3600)  # from SIGTERM until open requests are cancelled

    # Stores. Without REDIS_URL: an SQLite file in data_dir.
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")  # also redis+sentinel://HOST,HOST/NAME
    data_dir: Path = Path("data")
    store_megabytes: int = Field(1024, ge=1)  # of the SQLite file; the least recently used maps are evicted
    map_megabytes: int = Field(32, ge=1)  # of maps in memory: 3/8 for records as stored, 5/8 decoded
    map_days: float = Field(30.0, gt=0, le=36_500)  # time to live of a map in Redis
    max_focus: int = Field(100_000, ge=0)  # set by people, each profile's counted; above: 507

    # Pictures by URL. Off without GAZECROP_SOURCES. GAZECROP_MAX_BYTES and GAZECROP_BODY_SECONDS hold as for uploads.
    # Comma-separated prefixes of allowed URLs, compared as they are: https://bucket.example/, http://minio:9000/photos/,
    # s3://bucket/prefix/. https and http need the extra [sources], s3 the extra [remote].
    sources: Annotated[tuple[str, ...], NoDecode] = ()
    # Comma-separated networks in CIDR notation that a host of a prefix may have an address in, although they are not
    # public: 10.20.0.0/16. Any other private, loopback or link-local address is refused.
    sources_private: Annotated[tuple[str, ...], NoDecode] = ()

    # Worker, and bucket events. Jobs wait in a Redis stream of REDIS_URL: `POST /v1/events/s3` and others add them,
    # `gazecrop work` does them.
    work_stream: str = ""  # its name; empty: no worker, and events are answered with 503
    work_group: str = Field("gazecrop", min_length=1)  # the consumer group of the workers
    # Jobs in the stream, 0.3 kB each; above, events are answered with 503.
    work_max_jobs: int = Field(100_000, ge=1)
    work_tries: int = Field(5, ge=1, le=1000)  # of one job, then it is a dead letter
    # After so long without a refresh by its worker, a job is claimed by another one.
    work_idle_seconds: float = Field(60.0, ge=0.2, le=3600)
    # stream (STREAM:results), object (KEY.gazecrop.json beside an object of a bucket), webhook.
    work_results: Annotated[tuple[Literal["stream", "object", "webhook"], ...], NoDecode] = ("stream",)
    work_results_length: int = Field(10_000, ge=1)  # results that the stream keeps
    work_webhook: str = ""  # URL that results are sent to
    # Each is whsec_ and the base64 of 24 to 64 bytes.
    work_webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    work_port: int = Field(8001, ge=0, le=65535)  # of a worker's /metrics and /healthz; 0: any free port

    # Answers.
    cache_control: str = "no-cache"  # of GETs without ?v=
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()  # comma-separated; `*`: any
    reports: bool = True  # whether POST /v1/reports is served
    reports_megabytes: int = Field(200, ge=1)  # of reports with their attached pictures; above: 507
    # From one client address; above: 429. Behind a proxy uvicorn's own variable FORWARDED_ALLOW_IPS must name the proxy
    # (addresses or networks, comma-separated), else all clients share the proxy's address.
    reports_per_hour: int = Field(60, ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"  # info: a line for each request, 8 µs
    log_format: Literal["text", "json"] = "text"  # json: one object a line
    # OpenTelemetry: a span for each request and stage, sent by OTLP to OTEL_EXPORTER_OTLP_ENDPOINT. Needs the extra
    # [otel].
    tracing: bool = False

    @field_validator(
        *("api_keys", "cors_origins", "sources", "sources_private", "work_results", "work_webhook_secrets"),
        mode="before",
    )
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if info.field_name == "api_keys" and not parts:
            raise PydanticCustomError("empty", "there is no key in it. To serve without keys, do not set it.")
        return parts

    @field_validator("processes", mode="before")
    @classmethod
    def _count_processes(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and value.lower() == "auto":
            return max(1, int(info.data.get("workers", 1)) // 2)
        return value

    @field_validator("device", "precision", "log_level", "log_format", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cache_control", "cors_origins")
    @classmethod
    def _fits_a_header(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not all(" " <= character <= "~" for character in "".join(value)):
            raise PydanticCustomError("header", "a line break, a control or non-ASCII character is in it.")
        return value

    @field_validator("sources")
    @classmethod
    def _are_prefixes(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        for number, prefix in enumerate(prefixes, 1):
            try:
                parse_prefix(prefix)
            except UrlError as error:
                # Not the text itself: it may have a password.
                raise PydanticCustomError("prefix", f"prefix {number} cannot be used: {error}.") from None
        return prefixes

    @field_validator("sources_private")
    @classmethod
    def _are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        try:
            networks(texts)
        except ValueError as error:
            raise PydanticCustomError("network", f"{error}.") from None
        return texts

    @field_validator("work_webhook_secrets")
    @classmethod
    def _signs(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            text = secret.get_secret_value()
            try:
                size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
            except ValueError:
                size = 0
            if not text.startswith("whsec_") or not 24 <= size <= 64:
                detail = "a secret is whsec_ and the base64 of 24 to 64 random bytes."
                raise PydanticCustomError("secret", detail)
        return secrets

    @field_validator("id_key")
    @classmethod
    def _not_empty(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not key.get_secret_value():
            raise PydanticCustomError(
                "empty", "it is empty. To use the key kept in the store, do not set it."
            )
        return key

    def share(self) -> "Settings":
        """The settings of one of the processes: limits of all requests together, threads and caches are divided. Each
        process has at least one of what is counted."""
        count = self.processes
        return self.model_copy(
            update={
                "workers": max(1, self.workers // count),
                "memory_megabytes": self.memory / 1e6 / count if count > 1 else self.memory_megabytes,
                "map_megabytes": max(1, self.map_megabytes // count),
                # In Redis all processes count together.
                "reports_per_hour": self.reports_per_hour
                if self.redis_url
                else max(1, self.reports_per_hour // count),
            }
        )

    @property
    def memory(self) -> int:
        """Bytes that the process may use."""
        if self.memory_megabytes is not None:
            return round(self.memory_megabytes * 1e6)
        limit = machine.own_memory_limit()
        return machine.memory() // 2 if limit == math.inf else round(limit)

    def budget(self, warm: int = WARM_BYTES) -> int:
        """Bytes for all requests together: `memory` less a tenth, a warm process of `warm` bytes, decoded maps, and the
        second copy of one body while its pieces are joined. Raises SettingsError if that is too little."""
        fixed = warm + self.map_megabytes * 1e6 + self.max_bytes
        left = round(self.memory * (1 - SPARE) - fixed)
        if left < LEAST_BUDGET:
            least = (fixed + LEAST_BUDGET) / (1 - SPARE) / 1e6
            raise SettingsError(
                f"{self.memory / 1e6:,.0f} MB of memory are too little, at least {least:,.0f} are needed. "
                "GAZECROP_MEMORY_MEGABYTES is the memory of the whole process, by default the container's limit; "
                "that of decoded maps is GAZECROP_MAP_MEGABYTES."
            )
        return left

    @property
    def address(self) -> str:
        """The host to bind. Without keys the service has no access control, so the default is loopback only."""
        return self.host or ("0.0.0.0" if self.api_keys else "127.0.0.1")

    @property
    def refusal(self) -> str | None:
        """Why the server must not start with these settings: it would serve everyone, which no setting asks for."""
        if self.api_keys or self.open or _is_loopback(self.address):
            return None
        return (
            f"it would listen on {self.address} without keys and serve everyone who reaches it: set "
            "GAZECROP_API_KEYS, or GAZECROP_OPEN=true if that is intended, or GAZECROP_HOST=127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    """False for names other than localhost: what they resolve to may change."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_OTHERS = {"GAZECROP_DATA", "GAZECROP_WORK"}  # of the recipe
# What Kubernetes sets in every pod for a Service named gazecrop.
_SERVICE_LINK = re.compile(
    r"GAZECROP_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)", re.ASCII
)


# Settings of earlier releases, and what replaces them.
_REPLACED = {
    "MAX_MEGAPIXELS_IN_FLIGHT": "GAZECROP_MEMORY_MEGABYTES, the memory of the whole process, replaces it",
    "MAX_BODY_MEGABYTES_IN_FLIGHT": "GAZECROP_MEMORY_MEGABYTES, the memory of the whole process, replaces it",
    "MAX_QUEUE": "GAZECROP_MAX_WAIT_SECONDS, the time that an upload may wait, replaces it",
}


class SettingsError(ValueError):
    """Invalid settings: one line for each, with the name of its variable."""


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A warning for each variable that has our prefix and is not a setting, with the nearest name."""
    known = {"PORT", "REDIS_URL"} | {
        f"GAZECROP_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if not field.validation_alias
    }
    warnings = []
    for name in sorted(environment):
        if not name.upper().startswith("GAZECROP_") or name.upper() in known | _OTHERS:
            continue
        if _SERVICE_LINK.fullmatch(name) and "GAZECROP_SERVICE_HOST" in environment:
            continue
        if replaced := _REPLACED.get(name.upper().removeprefix("GAZECROP_")):
            warnings.append(f"{name} is set, but it has no effect any more: {replaced}.")
            continue
        # PORT and REDIS_URL are the likely intention of GAZECROP_PORT and GAZECROP_REDIS_URL.
        bare = name.upper().removeprefix("GAZECROP_")
        near = [bare] if bare in known else get_close_matches(name.upper(), known, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        warnings.append(f"{name} is set, but there is no such setting: it has no effect.{hint}")
    return warnings


def read_settings(**given: Any) -> Settings:
    """The settings of the environment. `given`: values by field name or alias, which outrank it. Raises
    SettingsError."""
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = []
        for one in error.errors():
            name = ".".join(map(str, one["loc"]))
            # PORT and REDIS_URL have no prefix
            lines.append(f"{name if name.isupper() else 'GAZECROP_' + name.upper()}: {one['msg']}")
        raise SettingsError("\n".join(lines)) from None
