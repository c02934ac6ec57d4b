#!/bin/sh
# run.sh FOLDER OUT
set -eu
for picture in "$1"/*.jpg; do
    gazecrop crop "$picture" --ratios 16:9,1:1 --json
done | node "$(dirname "$0")/build.js" "$2" "$1"/*.jpg
