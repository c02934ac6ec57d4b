"""The settings, read from the environment; what is wrong in it is told by the name of its variable."""

import sys
from typing import Any

from pydantic import ValidationError

from gazecrop.settings import Settings


def read_settings(**given: Any) -> Settings:
    """`given` outranks the environment, by the names of its variables. Exits with status 2 when one is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        for one in error.errors():
            name = ".".join(map(str, one["loc"]))
            known = name.isupper()  # PORT and REDIS_URL go by their own names
            print(f"{name if known else 'GAZECROP_' + name.upper()}: {one['msg']}", file=sys.stderr)
        sys.exit(2)
