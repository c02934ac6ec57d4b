"""The bill of materials of an image or a wheel, as CycloneDX 1.6. For the Python in which cyclonedx-bom is installed.

    python docker/sbom.py environment /venv/bin/python INIT NPM_LOCK OUT     what is installed in an environment
    python docker/sbom.py requirements requirements.lock INIT NPM_LOCK OUT   what a lock installs, with its hashes

INIT: the package's __init__.py, for the version. NPM_LOCK: what the page loads is in it. The same input gives the same
bytes. The base image's own packages are not in it: scanners of images read those from the image.
"""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "cyclonedx_py"]
OPTIONS = ["--sv", "1.6", "--of", "JSON", "--output-reproducible", "-o", "-"]


def page(lock: Path) -> list[dict[str, Any]]:
    """The packages of npm that the page loads; those of the tests are not among them."""
    found = []
    for path, package in json.loads(lock.read_text())["packages"].items():
        if path and not package.get("dev"):
            name, version = path.removeprefix("node_modules/"), package["version"]
            purl = f"pkg:npm/{name}@{version}"
            digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
            found.append(
                {
                    "type": "library",
                    "bom-ref": purl,
                    "name": name,
                    "version": version,
                    "purl": purl,
                    "hashes": [{"alg": "SHA-512", "content": digest}],
                    "licenses": [{"license": {"id": package["license"]}}],
                }
            )
    return found


def main(kind: str, source: str, init: Path, npm_lock: Path, out: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    made = subprocess.run([*COMMAND, kind, *OPTIONS, source], check=True, capture_output=True, text=True)
    document = json.loads(made.stdout)
    [version] = re.findall(r'^__version__ = "(.+)"$', init.read_text(), re.M)
    document["metadata"]["component"] = {
        "type": "application",
        "bom-ref": "gazecrop",
        "name": "gazecrop",
        "version": version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    document["components"] += page(npm_lock)
    named = {entry["ref"] for entry in document.setdefault("dependencies", [])}
    references = [component["bom-ref"] for component in document["components"]]
    document["dependencies"] += [{"ref": ref} for ref in references if ref not in named]
    document["dependencies"].append({"ref": "gazecrop", "dependsOn": sorted(references)})
    text = json.dumps(document, indent=1, sort_keys=True)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"The bill of materials is not valid: {error}")
    out.write_text(text + "\n")


if __name__ == "__main__":
    kind, source, *paths = sys.argv[1:]
    main(kind, source, *map(Path, paths))
