#!/usr/bin/env bash
# Whether the checked-in bundle of the canvas is what its source makes. Needs Node 20 and npm.
#
#     scripts/check_bundle.sh
set -euo pipefail
cd "$(dirname "$0")/../ui/canvas"

if grep -q '"resolved": "\(file\|/\|http:\)' package-lock.json; then
    echo "package-lock.json names packages of this machine; install them from the registry" >&2
    exit 1
fi
# What packages want to run when they are installed is not needed.
npm ci --ignore-scripts --no-audit --no-fund
npm run check
npm test

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npx vite build --outDir "$built" --emptyOutDir --logLevel warn
if ! diff -rq bundle "$built"; then
    echo "ui/canvas/bundle is not what its source makes: run npm run build in ui/canvas" >&2
    exit 1
fi
