"""gazecrop serve: runs the server, with the settings of the environment (`settings.py`).

Exit status 0: it was stopped by SIGTERM or SIGINT; 2: the settings are wrong; 3: it could not start.
"""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gazecrop.concurrency.board import Board, Seat
from gazecrop.concurrency.supervisor import Supervisor
from gazecrop.console.environment import read_settings
from gazecrop.settings import Settings, unknown_variables


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop serve", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (GAZECROP_HOST)")
    parser.add_argument("--port", dest="PORT", metavar="PORT", help="the port to listen on (PORT)")
    options = parser.parse_args(argv)
    settings = read_settings(**{name: value for name, value in vars(options).items() if value is not None})

    from gazecrop.http import logs  # after the settings, so that an invalid one is reported at once

    logging.basicConfig(level=settings.log_level.upper(), handlers=[logs.Handler(settings)])
    for warning in unknown_variables(os.environ):
        logging.getLogger("gazecrop").warning(warning)
    if settings.refusal:
        print(f"gazecrop: {settings.refusal}", file=sys.stderr)
        return 2
    if settings.processes > 1:
        return _serve_processes(settings)
    from gazecrop.app import create_app
    from gazecrop.http.server import serve

    app = create_app(settings)
    serve(app, settings, app.drain, app.refuse)
    return 0


def _serve_processes(settings: Settings) -> int:
    """Under a supervisor. Each process imports the service itself: this one stays small and has one thread, so that it
    can fork."""
    from gazecrop.http.listener import url_of
    from gazecrop.http.server import bind, serve_shared

    sockets = bind(settings)
    board = Board(settings.processes)
    with tempfile.TemporaryDirectory(prefix="gazecrop-metrics-") as folder:

        def work(seat: Seat, alive: int) -> int:
            from gazecrop.app import create_app
            from gazecrop.shared_metrics import Shared

            share = settings.share()
            app = create_app(share, Shared(folder, seat.row, board.pids))
            serve_shared(app, share, app.drain, app.refuse, sockets, seat, alive)
            return 0

        def forget_gauges(row: int) -> None:
            for file in Path(folder).glob(f"gauge_live*_{row}.db"):
                file.unlink(missing_ok=True)

        for listener in sockets:
            logging.getLogger("gazecrop").info(
                "%d processes listen on %s", settings.processes, url_of(listener)
            )
        # Longer than the drain: what waits at the end of it is cancelled and answered.
        supervisor = Supervisor(board, work, stop_seconds=settings.drain_seconds + 5, ended=forget_gauges)
        return supervisor.run()
