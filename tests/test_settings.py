"""Settings: what is refused, with one line that names the variable."""

import math

import pytest
from pydantic import SecretStr

from gazecrop import machine
from gazecrop.settings import Settings, SettingsError, read_settings, unknown_variables

KEY = SecretStr("k")


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """The only line about this variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    [line] = str(error.value).splitlines()
    assert line.startswith(f"{name}: ")
    return line


@pytest.mark.parametrize("value", ["", ",", " , ,"])
def test_keys_without_a_key_are_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert "no key" in refused(monkeypatch, "GAZECROP_API_KEYS", value)


def test_an_empty_id_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "empty" in refused(monkeypatch, "GAZECROP_ID_KEY", "")


@pytest.mark.parametrize("host", [None, "", "127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_key(host: str | None) -> None:
    assert Settings(host=host).refusal is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "2001:db8::1", "crops.example.com"])
def test_other_addresses_need_a_key_or_a_statement(host: str) -> None:
    refusal = Settings(host=host, metrics_key=KEY, id_key=KEY).refusal
    assert refusal and "GAZECROP_API_KEYS" in refusal and "GAZECROP_OPEN=true" in refusal and host in refusal
    assert "\n" not in refusal
    assert Settings(host=host, open=True).refusal is None
    assert Settings(host=host, api_keys=(KEY,)).refusal is None


def test_to_be_open_moves_no_listener() -> None:
    assert Settings(open=True).address == "127.0.0.1"


FLOATS = [
    "MAX_MEGAPIXELS", "MAX_MEGAPIXELS_JPEG", "MAX_MEGAPIXELS_OUT", "MEMORY_MEGABYTES", "MAP_DAYS",
    "MAX_WAIT_SECONDS", "BODY_SECONDS", "DRAIN_SECONDS",
]  # fmt: skip


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", ["inf", "nan", "1e300"])
def test_numbers_have_an_end(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    refused(monkeypatch, f"GAZECROP_{name}", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_CONTROL", "no-cache\r\nSet-Cookie: a=b"),
        ("CACHE_CONTROL", "max-age=60\n"),
        ("CACHE_CONTROL", "\u00e9"),
        ("CORS_ORIGINS", "https://a.example\nx"),
    ],
)
def test_what_does_not_fit_a_header(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "line break" in refused(monkeypatch, f"GAZECROP_{name}", value)


def test_words_may_have_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("LOG_LEVEL", "INFO"),
        ("LOG_FORMAT", "JSON"),
        ("DEVICE", "CPU"),
        ("PRECISION", "Int8"),
    ):
        monkeypatch.setenv(f"GAZECROP_{name}", value)
    settings = read_settings()
    assert (settings.log_level, settings.log_format) == ("info", "json")
    assert (settings.device, settings.precision) == ("cpu", "int8")


def test_the_budget_is_the_memory_less_what_the_process_takes() -> None:
    settings = Settings(memory_megabytes=1000, map_megabytes=32, max_bytes=20_000_000)
    assert settings.budget() == 900e6 - 180e6 - 32e6 - 20e6
    assert settings.budget(warm=500_000_000) == 900e6 - 500e6 - 32e6 - 20e6


def test_too_little_memory_names_both_settings() -> None:
    """GAZECROP_MEMORY_MEGABYTES=32 was the size of the maps once."""
    with pytest.raises(SettingsError, match=r"GAZECROP_MEMORY_MEGABYTES .* GAZECROP_MAP_MEGABYTES"):
        Settings(memory_megabytes=32).budget()


def test_the_default_memory_is_the_limit_of_the_control_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "own_memory_limit", lambda: 1.5e9)
    assert Settings().memory == 1_500_000_000
    monkeypatch.setattr(machine, "own_memory_limit", lambda: math.inf)
    assert Settings().memory == machine.memory() // 2
    assert Settings(memory_megabytes=700).memory == 700_000_000


@pytest.mark.parametrize("name", ["MAX_QUEUE", "MAX_MEGAPIXELS_IN_FLIGHT", "MAX_BODY_MEGABYTES_IN_FLIGHT"])
def test_a_removed_setting_is_warned_of_with_what_replaces_it(name: str) -> None:
    [warning] = unknown_variables({f"GAZECROP_{name}": "64"})
    assert "no effect" in warning and "replaces it" in warning
