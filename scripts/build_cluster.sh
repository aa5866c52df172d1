#!/usr/bin/env bash
# Build a Kubernetes control plane for tests/orchestrator/kubernetes/test_control_plane.py.
#
#   scripts/build_control_plane.sh FOLDER
#   EOLOOM_CONTROL_PLANE=FOLDER python -m pytest tests/orchestrator/kubernetes/test_control_plane.py
#
# Debian ships no API server, but the whole source of 1.20 (package kubernetes of bookworm), etcd
# 3.4 that fits it, and the Go that builds it. 1.20 has server-side apply, roles, quotas and the
# garbage collector as later versions have them; it has no Pod Security admission and no gRPC
# probes, and is for tests on loopback only. It takes about five minutes on two cores.
set -euo pipefail

target=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version='1.20.5+really1.20.2-1.1+deb12u1'

# A list of its own, so that the machine's sources stay as they are.
mirror=http://deb.debian.org/debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
printf 'deb [signed-by=%s] %s bookworm main\ndeb-src [signed-by=%s] %s bookworm main\n' \
    "$keyring" "$mirror" "$keyring" "$mirror" > "$work/sources.list"
cat > "$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
CONF
export APT_CONFIG="$work/apt.conf"

cd "$work"
apt-get -q update
apt-get -q source --download-only "kubernetes=$version"
apt-get -q download golang-1.19-go golang-1.19-src etcd-server
for package in *.deb; do dpkg -x "$package" root; done
install root/usr/bin/etcd "$target/etcd"

cp -rL root/usr/share/go-1.19 go
cp -r root/usr/lib/go-1.19/bin go/bin
cp -r root/usr/lib/go-1.19/pkg/. go/pkg/ 2> /dev/null || true
cp root/usr/lib/go-1.19/VERSION go/VERSION
mkdir -p path/src/k8s.io
tar -xzf kubernetes_*.orig.tar.gz
mv kubernetes-1.20.2 path/src/k8s.io/kubernetes

export GOROOT="$work/go" GOPATH="$work/path" GOCACHE="$work/go-cache"
export GO111MODULE=off GOFLAGS= CGO_ENABLED=0 PATH="$work/go/bin:$PATH"
cd path/src/k8s.io/kubernetes

# The API server's description of itself is generated, and not part of the source.
go build -o "$work/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(grep --include='*.go' -rl '+k8s:openapi-gen=' staging/src/k8s.io pkg cmd \
    | grep -vE 'zz_generated|_test.go|/testdata/|/examples?/|sample-|code-generator|kube-openapi' \
    | xargs -n1 dirname | sort -u \
    | sed -E 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^(pkg|cmd)/#k8s.io/kubernetes/\1/#' \
    | paste -sd,)
"$work/openapi-gen" -O zz_generated.openapi -p k8s.io/kubernetes/pkg/generated/openapi \
    --go-header-file hack/boilerplate/boilerplate.generatego.txt \
    --output-base "$GOPATH/src" -r "$work/violations" -i "$inputs"

flags="-s -w -X k8s.io/component-base/version.gitVersion=v1.20.2"
flags="$flags -X k8s.io/component-base/version.gitMajor=1"
flags="$flags -X k8s.io/component-base/version.gitMinor=20"
for program in kube-apiserver kube-controller-manager kube-scheduler; do
    go build -ldflags "$flags" -o "$target/$program" "k8s.io/kubernetes/cmd/$program"
done
ls -l "$target"
