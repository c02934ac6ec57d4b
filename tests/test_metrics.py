import asyncio
import contextlib
import math
import re
import time
from pathlib import Path

import pytest

from gazecrop.machine import memory_limit
from gazecrop.metrics import SECONDS, STAGES, Metrics, Stages

FAMILIES = {
    "gazecrop_requests", "gazecrop_request_seconds", "gazecrop_body_seconds", "gazecrop_stage_seconds",
    "gazecrop_batch_size", "gazecrop_queue_depth", "gazecrop_shed", "gazecrop_cache", "gazecrop_store_up",
    "gazecrop_decode_errors", "gazecrop_loop_lag_seconds", "gazecrop_model", "gazecrop_input_megapixels",
    "gazecrop_expected_wait_seconds", "gazecrop_budget_bytes",
    "gazecrop_memory_limit_bytes",
}  # fmt: skip


def text(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


def test_every_metric_is_there_from_the_start_under_its_prefix() -> None:
    metrics = Metrics()
    names = {family.name for family in metrics.registry.collect() if not family.name.startswith("process_")}
    assert names == FAMILIES
    for stage in STAGES:
        assert f'gazecrop_stage_seconds_count{{stage="{stage}"}} 0.0' in text(metrics)
    assert "_created" not in text(metrics)


def test_two_apps_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()
    first.cache("memory", "hit")
    assert 'gazecrop_cache_total{result="hit",tier="memory"} 1.0' in text(first)
    assert 'tier="memory"' not in text(second)


def test_buckets_are_geometric_from_half_a_millisecond_to_thirty_seconds() -> None:
    assert (SECONDS[0], SECONDS[-1]) == (0.0005, 30.0)
    ratios = [b / a for a, b in zip(SECONDS, SECONDS[1:], strict=False)]
    assert max(ratios) / min(ratios) < 1.02


def test_the_header_has_milliseconds_in_the_order_of_the_stages() -> None:
    stages = Stages()
    stages.add("store", 0.0004)
    stages.add("decode", 0.0204)
    stages.add("store", 0.0006)
    assert stages.header() == "store;dur=1.00, decode;dur=20.40"
    with contextlib.suppress(ValueError), stages.time("crop"):
        raise ValueError
    assert set(stages.seconds) == {"store", "decode", "crop"}


def test_gauges_and_counters_of_the_parts() -> None:
    metrics, waiting = Metrics(), [3]
    shed = metrics.watch_gate("decode", lambda: waiting[0])
    shed("wait")
    metrics.decode_error("picture_unreadable")
    metrics.model("gaze-0", "gaze-0.onnx", "ab" * 32, "CPUExecutionProvider")
    metrics.batch_size.observe(5)
    metrics.input_megapixels.observe(12)
    metrics.store_up.set(1)
    lines = text(metrics)
    for line in (
        'gazecrop_queue_depth{gate="decode"} 3.0',
        'gazecrop_shed_total{gate="decode",reason="wait"} 1.0',
        'gazecrop_decode_errors_total{reason="picture_unreadable"} 1.0',
        'gazecrop_batch_size_bucket{le="8.0"} 1.0',
        'gazecrop_input_megapixels_bucket{le="12.0"} 1.0',
        "gazecrop_store_up 1.0",
    ):
        assert line in lines
    assert re.search(r'gazecrop_model_info{.*provider="CPUExecutionProvider".*} 1.0', lines)
    waiting[0] = 0
    assert 'gazecrop_queue_depth{gate="decode"} 0.0' in text(metrics)


def test_the_memory_limit_of_either_version_of_control_groups(tmp_path: Path) -> None:
    two, one = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"
    files = [str(two), str(one)]
    assert memory_limit(files) == math.inf
    one.write_text("9223372036854771712\n")
    assert memory_limit(files) == math.inf
    one.write_text("1073741824\n")
    assert memory_limit(files) == 2**30
    two.write_text("536870912\n")
    assert memory_limit(files) == 2**29
    two.write_text("max\n")
    assert memory_limit(files) == 2**30


@pytest.mark.parametrize("fell_back", [True, False])
def test_a_fall_back_is_a_label_of_the_network(fell_back: bool) -> None:
    metrics = Metrics()
    metrics.model("gaze-0", "gaze-0.onnx", "ab" * 32, "CPUExecutionProvider", fell_back)
    assert f'fell_back="{str(fell_back).lower()}"' in text(metrics)


def test_openmetrics_by_the_accept_header() -> None:
    plain, kind = Metrics().render("text/html,*/*")
    assert kind.startswith("text/plain") and not plain.endswith(b"# EOF\n")
    body, kind = Metrics().render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text") and body.endswith(b"# EOF\n")


async def test_a_blocked_loop_shows() -> None:
    metrics = Metrics()
    task = asyncio.ensure_future(metrics.watch_loop(every=0.01))
    await asyncio.sleep(0.015)
    time.sleep(0.1)
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (lag,) = re.findall(r"^gazecrop_loop_lag_seconds (\S+)$", text(metrics), re.MULTILINE)
    assert float(lag) > 0.05
