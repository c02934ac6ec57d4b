"""gazecrop work: does the jobs of a Redis stream, with the settings of the environment.

GAZECROP_WORK_STREAM names the stream, in REDIS_URL; any number of workers share it. SIGTERM ends what is under way, at
most GAZECROP_DRAIN_SECONDS, and gives the rest back. /metrics and /healthz are on GAZECROP_WORK_PORT.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

from gazecrop.console.environment import read_settings
from gazecrop.console.options import exit_status
from gazecrop.settings import Settings, SettingsError, unknown_variables


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gazecrop work",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0, stopped by SIGTERM or SIGINT, or --retry-dead is done; 2, it could not start.",
    )
    parser.add_argument(
        "--retry-dead",
        action="store_true",
        help="work on nothing: put the dead letters back into their streams, print how many, and end",
    )
    options = parser.parse_args(argv)
    settings = read_settings()
    if problem := refusal(settings):
        print(f"gazecrop work: {problem}", file=sys.stderr)
        return 2

    from gazecrop.http import logs

    logging.basicConfig(level=settings.log_level.upper(), handlers=[logs.Handler(settings)])
    for warning in unknown_variables(os.environ):
        logging.getLogger("gazecrop").warning(warning)
    call = again if options.retry_dead else run
    return exit_status("work", lambda: asyncio.run(call(settings)))


def refusal(settings: Settings) -> str | None:
    """Why a worker cannot start with these settings."""
    if not settings.work_stream:
        return "GAZECROP_WORK_STREAM is not set: it names the Redis stream of the jobs."
    if not settings.redis_url:
        return "the jobs are in Redis: set REDIS_URL."
    if not settings.work_results:
        return "GAZECROP_WORK_RESULTS is empty: results would be lost."
    if "webhook" in settings.work_results and not (settings.work_webhook and settings.work_webhook_secrets):
        return "results to a webhook need GAZECROP_WORK_WEBHOOK and GAZECROP_WORK_WEBHOOK_SECRETS."
    return None


async def run(settings: Settings) -> int:
    from gazecrop.commands.work.worker import work

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await work(settings, stop, f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}")
    except SettingsError as error:
        print(f"gazecrop work: {error}", file=sys.stderr)
        return 2
    return 0


async def again(settings: Settings) -> int:
    from gazecrop.commands.work.dead import retry_dead

    print(f"{await retry_dead(settings)} dead letters are back in their streams")
    return 0
