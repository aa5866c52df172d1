#!/bin/sh
# Removes from installed packages what nothing here uses: their own tests, type stubs, headers, and the
# asynchronous half of the client of Kubernetes. What is left is compiled, which pip would have done with
# all of it.
set -eu
find "$1" -type d \( -name tests -o -path '*/numpy/*/include' -o -name sample_data -o -path '*/kubernetes/aio' \) \
    -path '*/site-packages/*' -prune -exec rm -rf {} +
# scikit-image reads its stubs to import its parts (https://scientific-python.org/specs/spec-0001/).
find "$1" -type f \( \( -name '*.pyi' ! -path '*/skimage/*' \) -o -name '*.pxd' -o -name '*.a' \) -path '*/site-packages/*' -delete
# Schemas of Kubernetes: the strict ones are used, of the versions that are supported.
for schemas in "$1"/lib/python*/site-packages/kubernetes_validate/kubernetes-json-schema; do
    [ -d "$schemas" ] || continue
    find "$schemas" -mindepth 1 -maxdepth 1 \( ! -name '*-strict' -o -name 'v1.2?.*' -o -name 'v1.30.*' \) \
        -exec rm -rf {} +
done
# Files in the syntax of other versions stay as they are.
/opt/eoloom/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$1/lib" >/dev/null || true
