"""gazecrop serve: the server, set up by the environment (`settings.py`)."""

import argparse
import logging
import sys
from collections.abc import Sequence

from service.commands.environment import read_settings
from service.errors import GazecropError


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop serve", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (GAZECROP_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (PORT)")
    options = parser.parse_args(argv)
    settings = read_settings()
    given = {name: value for name, value in vars(options).items() if value is not None}
    settings = settings.model_copy(update=given)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )

    from service.app import create_app  # after the settings: a wrong one is told at once
    from service.protocol import serve

    app = create_app(settings)
    try:
        serve(app, settings, app.drain)
    except GazecropError as error:
        print(f"gazecrop: {error}", file=sys.stderr)
        return 1
    return 0
