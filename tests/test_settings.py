"""Settings: what is refused, with one line that names the variable."""

import pytest
from pydantic import SecretStr

from gazecrop.settings import Settings, SettingsError, read_settings

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
    "MAX_MEGAPIXELS", "MAX_MEGAPIXELS_JPEG", "MAX_MEGAPIXELS_OUT", "MAX_MEGAPIXELS_IN_FLIGHT", "MAP_DAYS",
    "MAX_BODY_MEGABYTES_IN_FLIGHT", "BODY_SECONDS", "DRAIN_SECONDS",
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
