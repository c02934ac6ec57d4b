"""gazecrop serve: a start that fails prints one line with the reason."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gazecrop.commands.serve import main


def start(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit status and all output."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_") and k != "REDIS_URL"}
    settings = {"PORT": "0", "GAZECROP_DEVICE": "cpu", "GAZECROP_DATA_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "gazecrop.cli", "serve", *arguments],
        env=inherited | settings | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def assert_refused(found: tuple[int, str], *words: str) -> None:
    status, output = found
    (line,) = [line for line in output.splitlines() if "gazecrop: " in line]
    assert status == 3 and "Traceback" not in output
    for word in words:
        assert word in line


def test_an_unknown_network(tmp_path: Path) -> None:
    assert_refused(start(tmp_path, GAZECROP_MODEL="nope"), "GAZECROP_MODEL", "'nope'")


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(start(tmp_path / "file" / "data"), "GAZECROP_DATA_DIR", "cannot be written")


def test_a_database_of_another_program(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gazecrop.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    assert_refused(start(tmp_path), "gazecrop.db", "another program")


def test_redis_unreachable_while_it_holds_the_key(tmp_path: Path) -> None:
    assert_refused(start(tmp_path, REDIS_URL=f"unix://{tmp_path}/absent"), "cannot be reached")


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_an_invalid_port(
    port: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gazecrop.http.server.serve", lambda *_: None)
    with pytest.raises(SystemExit) as refused:
        main([f"--port={port}"])
    assert refused.value.code == 2 and capsys.readouterr().err.startswith(("PORT: ", "usage: "))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_address_without_keys(host: str, tmp_path: Path) -> None:
    """As in the image. The name of the keys is misspelt, which a warning says first."""
    status, output = start(tmp_path, GAZECROP_HOST=host, GAZECROP_API_KEY="k")
    warning, refusal = output.splitlines()
    assert status == 2 and "Did you mean GAZECROP_API_KEYS?" in warning
    assert refusal.startswith("gazecrop: ") and "GAZECROP_OPEN=true" in refusal


@pytest.mark.parametrize("keys", ["", ","])
def test_no_key_in_the_keys(keys: str, tmp_path: Path) -> None:
    status, output = start(tmp_path, GAZECROP_API_KEYS=keys)
    assert status == 2 and output.startswith("GAZECROP_API_KEYS: ") and output.count("\n") == 1
