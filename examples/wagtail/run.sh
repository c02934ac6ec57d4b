#!/bin/sh
# run.sh PICTURE
set -eu
picture=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT

cd "$project"
wagtail start mysite . >/dev/null
echo 'INSTALLED_APPS += ["gazecrop.integrations.wagtail.FocalPoints"]' >>mysite/settings/base.py
python3 manage.py migrate --verbosity 0
DJANGO_SETTINGS_MODULE=mysite.settings.dev PYTHONPATH=. python3 "$here/save_image.py" "$picture"
