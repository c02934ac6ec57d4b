"""Runs the page's modules without the page: in Node.js where it is installed, else in Chromium."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Route

from tests.conftest import ROOT
from tests.helpers.chromium import chromium

PAGE = ROOT / "service" / "gazecrop" / "page"
Run = Callable[[str, Any], Any]


@contextmanager
def javascript(name: str) -> Iterator[Run]:
    """run(function, argument) for page/`name`.js: calls JavaScript source, which may use the module as `module`."""
    script = PAGE / f"{name}.js"
    if shutil.which("node"):
        yield _in_node(script)
    else:
        with _in_chromium(script) as run:
            yield run


def _in_node(script: Path) -> Run:
    def run(function: str, argument: Any) -> Any:
        program = f"""
            import * as module from {json.dumps(script.as_uri())};
            import {{ readFileSync }} from "node:fs";
            console.log(JSON.stringify(({function})(JSON.parse(readFileSync(0, "utf8")))));
        """
        done = subprocess.run(
            ["node", "--input-type=module", "--eval", program],
            input=json.dumps(argument).encode(),
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return run


@contextmanager
def _in_chromium(script: Path) -> Iterator[Run]:
    def serve(route: Route) -> None:
        if route.request.url.endswith(".js"):
            route.fulfill(body=script.read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<title>test</title>", content_type="text/html")

    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", serve)
        page.goto("http://page.test/")

        def run(function: str, argument: Any) -> Any:
            ready = "const module = await import('/module.js')"
            return page.evaluate(f"async (given) => {{ {ready}; return ({function})(given) }}", argument)

        yield run
