import io

from loadtests.closed import is_whole, upload
from tests.conftest import Server
from tests.helpers.samples import scene


def test_each_connection_sends_again_when_it_has_its_answer(server: Server) -> None:
    picture = io.BytesIO()
    scene(64, 48).save(picture, "JPEG")
    answers = upload(int(server.url.rpartition(":")[2]), 3, 0.5, [picture.getvalue(), b"no picture"])
    assert answers.keys() <= {200, 201, 415} and answers[200] > 2 and answers[415] > 2


def test_an_answer_is_whole_with_all_of_its_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    assert [is_whole(bytearray(part)) for part in (head[:-1], head, head + b"o", head + b"ok")] == [
        False,
        False,
        False,
        True,
    ]
