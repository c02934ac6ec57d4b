#!/bin/sh
# docker/build-without-docker.sh STORAGE: builds the Dockerfile as it is with buildah, without a daemon, as root, into the
# image `gazecrop` of the folder STORAGE. For machines that reach no registry of images: in place of the base, which the
# Dockerfile pins by its digest, is a Debian with its own Python, made by debootstrap. It is for tests; publish what
# `docker build` makes.
# Needed: buildah and debootstrap. The folder of the certificates and pip's configuration are those of this machine.
set -e
storage=$1
: "${storage:?usage: docker/build-without-docker.sh STORAGE}"
mkdir -p "$storage"
storage=$(cd "$storage" && pwd)
cd "$(dirname "$0")/.."

# Isolation by chroot and plain copies of layers run inside containers, too.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah() { command buildah --root "$storage/images" --runroot "$storage/run" "$@"; }

base=localhost/python-of-debian
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$storage/debian" >"$storage/debootstrap.log"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$storage/debian" / >/dev/null
    buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
    rm -rf "$storage/debian"
fi

touch "$storage/pip.conf"
[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$storage/pip.conf"
echo "cafile=/etc/ssl/certs/ca-certificates.crt" >"$storage/npmrc"
buildah build --pull=never --layers --format docker --tag gazecrop \
    --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume "$storage/pip.conf:/etc/pip.conf:ro" \
    --volume "$storage/npmrc:/root/.npmrc:ro" \
    --build-arg "PYTHON=$base" --build-arg "REVISION=$(git rev-parse HEAD)" .
