#!/bin/sh
# run.sh PICTURE [PORT]
set -eu
picture=$1
port=${2:-8010}
here=$(dirname "$0")

python3 -m uvicorn --app-dir "$here" app:app --port "$port" --log-level warning &
server=$!
trap 'kill $server; wait $server || true' EXIT
curl --silent --show-error --fail --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null "http://127.0.0.1:$port/docs"
curl --silent --show-error --fail --form "file=@$picture" "http://127.0.0.1:$port/photos"
echo
