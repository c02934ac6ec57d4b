import shutil
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from redis import Redis

from gazecrop.cli import main
from gazecrop.model import Model
from tests.conftest import RedisServer, free_port
from tests.helpers.origins import head, origin, redirect, whole


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("GAZECROP_DEVICE", "cpu")
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PORT", str(free_port()))


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[str]], str]:
    """Exit status, the findings by subject, all output."""
    status = main(["doctor"])
    out = capsys.readouterr().out
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        state, about, text = line.split(maxsplit=2)
        assert text
        found.setdefault(about, []).append(state)
    return status, found, out


def test_a_working_setup_passes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, found, out = doctor(capsys)
    assert status == 0
    assert list(found) == ["release", "network", "device", "formats", "store", "address", "speed"]
    assert {state for states in found.values() for state in states} == {"ok"}
    assert "CPUExecutionProvider" in out and "SHA-256" in out and "AVIF" in out and " ms" in out
    assert "its outputs: density" in out
    assert not (tmp_path / "data").exists()  # nothing is created


def test_a_misspelt_setting_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_MAX_MEGAPIXEL", "1")
    status, found, out = doctor(capsys)
    assert status == 0 and found["settings"] == ["warn"]
    assert "GAZECROP_MAX_MEGAPIXEL is set" in out and "GAZECROP_MAX_MEGAPIXELS?" in out


def test_a_network_that_cannot_be_loaded_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_MODEL", "none")
    status, found, out = doctor(capsys)
    assert status == 1
    assert found["network"] == ["FAIL"]
    assert "GAZECROP_MODEL" in out
    assert "device" not in found and "store" in found


def test_cuda_where_there_is_none_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    status, found, _ = doctor(capsys)
    assert (status, found["network"]) == (1, ["FAIL"])


def test_a_folder_that_cannot_be_made_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path / "file" / "data"))
    status, found, out = doctor(capsys)
    assert (status, found["store"]) == (1, ["FAIL"])
    assert "GAZECROP_DATA_DIR" in out


def test_an_existing_embedded_store_is_opened(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gazecrop.db").write_bytes(b"this is no database" * 100)
    status, found, _ = doctor(capsys)
    assert (status, found["store"]) == (1, ["FAIL"])


def test_unreachable_redis_fails_unless_the_server_could_start_without_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    status, found, _ = doctor(capsys)
    assert (status, found["store"]) == (1, ["FAIL"])
    monkeypatch.setenv("GAZECROP_ID_KEY", "a key")
    status, found, _ = doctor(capsys)
    assert (status, found["store"]) == (0, ["warn"])


@pytest.mark.redis
def test_redis_settings_that_may_lose_focal_points_are_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    status, found, out = doctor(capsys)
    assert status == 0
    assert found["store"] == ["ok", "warn"]
    assert "appendonly" in out


def test_an_address_in_use_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("PORT", str(other.getsockname()[1]))
        status, found, _ = doctor(capsys)
    assert (status, found["address"]) == (0, ["warn"])


def test_an_invalid_setting_is_reported_by_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "eight")
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("PORT: ")


def distribution(folder: Path, name: str, version: str) -> None:
    """What pip leaves of a package that holds the module onnxruntime."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text("onnxruntime\n")


def test_two_packages_with_the_module_onnxruntime_are_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They overwrite each other's files: `pip install '.[cuda]'` leaves both."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        distribution(tmp_path / "packages", name, "1.99.0")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    status, found, out = doctor(capsys)
    assert status == 0 and found["device"] == ["ok", "warn"]
    assert "onnxruntime 1.99.0 and onnxruntime-gpu 1.99.0 are both installed" in out
    assert "-m pip uninstall --yes onnxruntime onnxruntime-gpu; " in out


def test_the_installed_runtime_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    (name,) = set(packages_distributions()["onnxruntime"])
    assert f"CPUExecutionProvider, {name} {version(name)}; GAZECROP_DEVICE=cpu" in doctor(capsys)[2]


def test_a_gpu_that_is_not_used_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "fell_back", True)
    _, found, out = doctor(capsys)
    assert found["device"] == ["ok", "warn"] and "docker/cuda.lock" in out


def test_every_address_without_keys_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_HOST", "0.0.0.0")
    status, found, out = doctor(capsys)
    assert (status, found["address"]) == (1, ["FAIL"]) and "GAZECROP_OPEN=true" in out
    monkeypatch.setenv("GAZECROP_OPEN", "true")
    status, found, _ = doctor(capsys)
    assert (status, found["address"]) == (0, ["ok"])


def test_a_full_disk_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    status, found, out = doctor(capsys)
    assert (status, found["store"]) == (1, ["FAIL"]) and "is full" in out


def test_prefixes_that_answer_and_that_do_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with origin({b"/photos/gazecrop-doctor": head("403 Forbidden", length=0)}) as source:
        site = f"http://127.0.0.1:{source.port}"
        source.answers |= {
            b"/broken/gazecrop-doctor": head("500 Internal Server Error", length=0),
            b"/away/gazecrop-doctor": redirect("http://127.0.0.2/login"),
            b"/large/gazecrop-doctor": whole(bytes(30_000)),
        }
        prefixes = [f"{site}/{name}/" for name in ("none", "photos", "broken", "away", "large")]
        monkeypatch.setenv("GAZECROP_MAX_BYTES", "20000")
        monkeypatch.setenv("GAZECROP_SOURCES", ",".join([*prefixes, "http://127.0.0.1:1/"]))
        monkeypatch.setenv("GAZECROP_SOURCES_PRIVATE", "127.0.0.0/8")
        status, found, out = doctor(capsys)
        assert status == 0 and found["sources"] == ["ok", "warn", "warn", "warn", "ok", "warn"]
        assert (
            f"{prefixes[1]} answers 403" in out and "status 500" in out and "outside GAZECROP_SOURCES" in out
        )
        monkeypatch.delenv("GAZECROP_SOURCES_PRIVATE")
        _, found, out = doctor(capsys)
        assert set(found["sources"]) == {"warn"} and "GAZECROP_SOURCES_PRIVATE" in out


def test_an_extra_that_is_missing_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aiobotocore", "aiobotocore.session", "aiobotocore.config"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("gazecrop.sources.bucket", "gazecrop.commands.work.sidecars"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("GAZECROP_SOURCES", "s3://photos/")
    monkeypatch.setenv("GAZECROP_WORK_STREAM", "jobs")
    monkeypatch.setenv("GAZECROP_WORK_RESULTS", "object")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    status, found, out = doctor(capsys)
    assert (
        status == 1
        and found["sources"] == found["worker"] == ["FAIL"]
        and out.count("needs the extra [remote]") == 2
    )


def test_a_worker_without_its_settings_or_its_redis_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_WORK_STREAM", "jobs")
    status, found, out = doctor(capsys)
    assert (status, found["worker"]) == (1, ["FAIL"]) and "set REDIS_URL" in out
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    status, found, _ = doctor(capsys)
    assert (status, found["worker"]) == (1, ["FAIL"])
    monkeypatch.setenv("GAZECROP_ID_KEY", "a key")
    status, found, _ = doctor(capsys)
    assert (status, found["worker"]) == (0, ["warn"])


@pytest.mark.redis
def test_the_stream_and_its_dead_letters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    monkeypatch.setenv("GAZECROP_WORK_STREAM", "jobs")
    monkeypatch.setenv("REDIS_URL", redis_server.url + "?socket_timeout=2")
    status, found, out = doctor(capsys)
    assert (status, found["worker"]) == (0, ["ok"]) and "0 jobs in the stream jobs" in out
    with Redis.from_url(redis_server.url) as redis:
        redis.xadd("jobs", {"url": "x"})
        redis.xadd("jobs:dead", {"url": "x", "error": "e"})
    status, found, out = doctor(capsys)
    assert (status, found["worker"]) == (0, ["ok", "warn"])
    assert "1 jobs in the stream jobs" in out and "1 dead letters in jobs:dead" in out
    with Redis.from_url(redis_server.url) as redis:
        redis.delete("jobs")
        redis.set("jobs", "no stream")
    status, found, out = doctor(capsys)
    assert (status, found["worker"]) == (1, ["FAIL"]) and "WRONGTYPE" in out
