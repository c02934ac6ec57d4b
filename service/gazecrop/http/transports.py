"""Calls on the socket of a transport that asyncio does not offer."""

import asyncio
import socket


def borrowed_socket(transport: asyncio.Transport) -> socket.socket:
    """A socket on the descriptor of a transport that is not closing. `detach` must follow before anything else runs.

    The transport's own object would duplicate the descriptor for each call (uvloop)."""
    descriptor = transport.get_extra_info("socket").fileno()
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)  # of any family: it is not used
