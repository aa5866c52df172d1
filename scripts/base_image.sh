#!/usr/bin/env bash
# Makes a small Python 3.11 base image from Debian's own packages, where no image can be pulled.
#
#   scripts/base_image.sh [NAME:TAG]        default: eoloom-base-python:3.11
#
# Needs root, debootstrap, and a Docker engine. The packed file system is kept under
# EOLOOM_CACHE (default ~/.cache/eoloom), so that a second call only imports it.
set -euo pipefail

image=${1:-eoloom-base-python:3.11}
suite=bookworm # its python3 is 3.11, as in the default python:3.11-slim-bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
cache=${EOLOOM_CACHE:-$HOME/.cache/eoloom}
archive=$cache/base-$suite-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12).tar

fail() {
    echo "base_image: $*" >&2
    exit 1
}

command -v docker >/dev/null || fail "the command docker is missing: apt-get install docker.io"
docker info >/dev/null 2>&1 || fail "no Docker engine answers; is dockerd running, and may you use it?"

if [[ ! -s $archive ]]; then
    command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
    ((EUID == 0)) || fail "debootstrap needs root"
    mkdir -p "$cache"
    root=$(mktemp -d)
    trap 'rm -rf --one-file-system "$root" "$archive.partial"' EXIT
    # python3-venv brings what makes pip in a build stage; no pip is installed.
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,libexpat1 \
        "$suite" "$root/fs" "$mirror" >"$cache/debootstrap.log" 2>&1 ||
        fail "debootstrap failed: $(tail -n 1 "$cache/debootstrap.log") (all of it: $cache/debootstrap.log)"
    # Documentation, translations and package lists are of no use in a container.
    rm -rf "$root"/fs/usr/share/{doc,man,info,locale,lintian,i18n} "$root"/fs/var/cache/{apt,debconf}/* \
        "$root"/fs/var/lib/apt/lists/* "$root"/fs/var/log/*
    find "$root/fs" -depth -type d -name __pycache__ -exec rm -rf {} +
    echo 'Acquire::Languages "none";' >"$root/fs/etc/apt/apt.conf.d/80-small"
    tar --sort=name --numeric-owner --exclude='./dev/*' -C "$root/fs" -cf "$archive.partial" .
    mv "$archive.partial" "$archive"
fi
docker import --change 'CMD ["python3"]' --change 'ENV LANG=C.UTF-8' "$archive" "$image" >/dev/null
docker image inspect --format "$image {{.Size}} bytes" "$image"
