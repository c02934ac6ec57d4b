#!/bin/sh
# run.sh PICTURE
set -eu
# The key and the salt of imgproxy's documentation.
export IMGPROXY_KEY=736563726574 IMGPROXY_SALT=68656C6C6F
python3 "$(dirname "$0")/picture.py" "$1" "s3://photos/$(basename "$1")"
