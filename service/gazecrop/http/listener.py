"""The sockets of the server's address. They are bound and do not listen yet: clients are refused until it is ready."""

import socket


def listen(host: str, port: int) -> list[socket.socket]:
    """A socket for each address that `host` resolves to. `::` takes IPv4, too, where the system allows it.

    Raises OSError with a text that names the address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise OSError(f"cannot listen on {host!r}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        # Port 0 is any free port, the same for all addresses.
        chosen = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bound(family, (address[0], chosen, *address[2:])))
        except OSError as error:
            for other in sockets:
                other.close()
            where = _written(family, str(address[0]), chosen)
            raise OSError(f"cannot listen on {where}: {error.strerror}") from None
    return sockets


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{_written(listener.family, host, port)}"


def _written(family: int, host: str, port: int) -> str:
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            both = address[0] == "::" and socket.has_dualstack_ipv6()
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
