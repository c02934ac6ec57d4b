import pytest
from pydantic import SecretStr

from gazecrop.errors import Forbidden, Unauthorized
from gazecrop.http.auth import AZURE_HEADERS, GOOGLE_HEADERS, check
from gazecrop.keys import Keys
from gazecrop.settings import Settings

KEYS = Keys([SecretStr("first"), SecretStr("zweiter-schlüssel")])


def bearer(key: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", b"Bearer " + key)]


def test_without_keys_everyone_may_call() -> None:
    keys = Keys(())
    assert not keys
    check(keys, [])
    check(keys, bearer(b"whatever"))


@pytest.mark.parametrize("key", ["first", "zweiter-schlüssel"])
@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer  ", b"BEARER "])
def test_every_key_is_accepted(key: str, scheme: bytes) -> None:
    assert KEYS
    check(KEYS, [(b"authorization", scheme + key.encode())])


@pytest.mark.parametrize(
    "key", [b"First", b"firs", b"first2", b"zweiter", b"\xff", b"first,zweiter", b"x" * 5000]
)
def test_other_keys_are_forbidden(key: bytes) -> None:
    with pytest.raises(Forbidden) as error:
        check(KEYS, bearer(key))
    assert key.decode("latin-1") not in str(error.value.problem())


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"first", b"Basic first", b"Bearerfirst"])
def test_anything_but_a_bearer_key_is_unauthorized(value: bytes) -> None:
    with pytest.raises(Unauthorized) as error:
        check(KEYS, [(b"authorization", value)])
    assert error.value.headers == {"WWW-Authenticate": "Bearer"}


def test_vendors_headers_are_accepted_only_where_they_are_named() -> None:
    for names, header in ((AZURE_HEADERS, b"ocp-apim-subscription-key"), (GOOGLE_HEADERS, b"x-goog-api-key")):
        check(KEYS, [(header, b"first")], names=names)
        check(KEYS, bearer(b"first"), names=names)
        with pytest.raises(Forbidden):
            check(KEYS, [(header, b"wrong")], names=names)
        with pytest.raises(Unauthorized):
            check(KEYS, [(header, b"first")])


def test_a_key_in_the_query_is_accepted_only_where_it_is_given() -> None:
    check(KEYS, [], query=b"alt=json&key=first")
    check(KEYS, [], query="key=zweiter-schlüssel".encode())
    check(KEYS, [], query=b"key=zweiter-schl%C3%BCssel")
    for query in (b"key=wrong", b"key=first2"):
        with pytest.raises(Forbidden):
            check(KEYS, [], query=query)
    for query in (b"", b"key=", b"akey=first", b"%ff=1"):
        with pytest.raises(Unauthorized):
            check(KEYS, [], query=query)
    with pytest.raises(Unauthorized):
        check(KEYS, [], query=b"&".join([b"a=1"] * 1000))


def test_settings_split_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAZECROP_API_KEYS", "one, two ,")
    keys = Keys(Settings().api_keys)
    check(keys, bearer(b"one"))
    check(keys, bearer(b"two"))
    with pytest.raises(Forbidden):
        check(keys, bearer(b"one, two"))
