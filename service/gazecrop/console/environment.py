"""Reads the settings from the environment; an invalid one is reported by the name of its variable."""

import sys
from typing import Any

from pydantic import ValidationError

from gazecrop.settings import Settings


def read_settings(**given: Any) -> Settings:
    """`given`: values by field name or alias, which outrank the environment. Exits with status 2 for an invalid one."""
    try:
        return Settings(**given)
    except ValidationError as error:
        for one in error.errors():
            name = ".".join(map(str, one["loc"]))
            unprefixed = name.isupper()  # PORT and REDIS_URL have no prefix
            print(f"{name if unprefixed else 'GAZECROP_' + name.upper()}: {one['msg']}", file=sys.stderr)
        sys.exit(2)
