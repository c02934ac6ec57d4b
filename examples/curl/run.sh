#!/bin/sh
# run.sh PICTURE [URL]
set -eu
picture=$1
url=${2:-http://127.0.0.1:8000}

id=$(curl --silent --show-error --fail --data-binary "@$picture" "$url/v1/images?ratios=1:1" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl --silent --show-error --fail "$url/v1/images/$id/crops?ratios=16:9,4:5"
echo
curl --silent --show-error --fail --data-binary "@$picture" -o square.webp \
    "$url/v1/crop?ratio=1:1&width=600&format=webp"
echo "square.webp"
