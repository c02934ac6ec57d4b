import socket

import pytest

from gazecrop.http.listener import listen, url_of


def reaches(host: str, listener: socket.socket) -> bool:
    listener.listen()
    port = listener.getsockname()[1]
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def test_it_does_not_listen_yet() -> None:
    [listener] = listen("127.0.0.1", 0)
    with listener:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listener.getsockname(), timeout=5)
        assert reaches("127.0.0.1", listener)
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_every_address_of_ipv6_takes_ipv4_too() -> None:
    [listener] = listen("::", 0)
    with listener:
        assert reaches("::1", listener) and reaches("127.0.0.1", listener)
        assert url_of(listener).startswith("http://[::]:")
    [listener] = listen("::1", 0)
    with listener:
        assert reaches("::1", listener) and not reaches("127.0.0.1", listener)


def test_a_name_is_all_its_addresses_on_one_port() -> None:
    listeners = listen("localhost", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


def test_what_cannot_be_bound_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: Address already in use"):
            listen("127.0.0.1", port)
    with pytest.raises(OSError, match="no such.name"):
        listen("no such.name", 0)
    with pytest.raises(OSError, match="192.0.2.1:"):
        listen("192.0.2.1", 0)
