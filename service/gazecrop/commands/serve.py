"""gazecrop serve: runs the server, with the settings of the environment (`settings.py`)."""

import argparse
import logging
from collections.abc import Sequence

from gazecrop.console.environment import read_settings


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop serve", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (GAZECROP_HOST)")
    parser.add_argument("--port", dest="PORT", metavar="PORT", help="the port to listen on (PORT)")
    options = parser.parse_args(argv)
    settings = read_settings(**{name: value for name, value in vars(options).items() if value is not None})
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )

    from gazecrop.app import create_app  # after the settings, so that an invalid one is reported at once
    from gazecrop.http.protocol import serve

    app = create_app(settings)
    serve(app, settings, app.drain)
    return 0
