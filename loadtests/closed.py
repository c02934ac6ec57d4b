"""Uploads in a closed loop: each connection sends the next one when its answer has come. Run in a process of its own.

    python -m loadtests.closed PORT CONNECTIONS SECONDS FILE ...

One thread for all connections, 35 us for an upload of 20 kB: on two cores threads of Python take as much as the server.
Prints the answers of each status as JSON.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

END = b"\r\n\r\n"


def upload(port: int, connections: int, seconds: float, bodies: list[bytes]) -> Counter[int]:
    """The answers of each status. The bodies are sent in turn."""
    head = b"POST /v1/images HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n"
    requests = cycle([head % len(body) + body for body in bodies])
    selector, answers = selectors.DefaultSelector(), Counter[int]()
    for _ in range(connections):
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(opened, selectors.EVENT_READ, bytearray())
        opened.sendall(next(requests))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for key, _ in selector.select(1):
            assert isinstance(key.fileobj, socket.socket)
            connection, answer = key.fileobj, key.data
            part = connection.recv(65536)
            if not part:
                raise ConnectionError("the server closed the connection")
            answer += part
            if is_whole(answer):
                answers[int(answer[9:12])] += 1
                answer.clear()
                connection.sendall(next(requests))
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    return answers


def is_whole(answer: bytearray) -> bool:
    head, found, body = answer.partition(END)
    length = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0]
    return bool(found) and len(body) >= int(length)


if __name__ == "__main__":
    port, connections, seconds, *files = sys.argv[1:]
    bodies = [Path(file).read_bytes() for file in files]
    print(json.dumps(upload(int(port), int(connections), float(seconds), bodies)))
