#!/bin/sh
# run.sh PICTURE [PORT]
set -eu
port=${2:-8888}
PICTURES=$(cd "$(dirname "$1")" && pwd)
export PICTURES

thumbor --ip 127.0.0.1 --port "$port" --conf "$(dirname "$0")/thumbor.conf" &
server=$!
trap 'kill $server; wait $server || true' EXIT
curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null \
    "http://127.0.0.1:$port/healthcheck"
curl --silent --show-error --fail -o wide.jpg "http://127.0.0.1:$port/unsafe/600x200/smart/$(basename "$1")"
echo "wide.jpg"
