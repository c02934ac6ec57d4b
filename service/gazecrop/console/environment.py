"""Reads the settings from the environment; an invalid one is reported by the name of its variable."""

import sys
from typing import Any

from gazecrop import settings
from gazecrop.settings import Settings, SettingsError


def read_settings(**given: Any) -> Settings:
    """As `settings.read_settings`, but prints what is invalid and exits with status 2."""
    try:
        return settings.read_settings(**given)
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
