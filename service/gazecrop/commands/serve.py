"""gazecrop serve: runs the server, with the settings of the environment (`settings.py`).

Exit status 0: it was stopped by SIGTERM or SIGINT; 2: the settings are wrong; 3: it could not start.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from gazecrop.console.environment import read_settings
from gazecrop.settings import unknown_variables


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop serve", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (GAZECROP_HOST)")
    parser.add_argument("--port", dest="PORT", metavar="PORT", help="the port to listen on (PORT)")
    options = parser.parse_args(argv)
    settings = read_settings(**{name: value for name, value in vars(options).items() if value is not None})

    from gazecrop.app import create_app  # after the settings, so that an invalid one is reported at once
    from gazecrop.http import logs
    from gazecrop.http.server import serve

    logging.basicConfig(level=settings.log_level.upper(), handlers=[logs.Handler(settings)])
    for warning in unknown_variables(os.environ):
        logging.getLogger("gazecrop").warning(warning)
    if settings.refusal:
        print(f"gazecrop: {settings.refusal}", file=sys.stderr)
        return 2
    app = create_app(settings)
    serve(app, settings, app.drain)
    return 0
