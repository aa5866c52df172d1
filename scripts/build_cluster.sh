#!/usr/bin/env bash
# Build the programs of a Kubernetes cluster of one node, for tests and for trying things out.
#
#   scripts/build_cluster.sh FOLDER
#   scripts/cluster.sh start FOLDER
#   EOLOOM_CLUSTER=FOLDER python -m pytest tests/orchestrator/kubernetes
#
# Of Debian's Kubernetes sources only those of 1.20 (bookworm) hold more than kubectl; later ones
# need the upstream project. So 1.20 is built, with kubernetes-1.20.patch for what EO Loom's objects
# use of later versions; beside it come etcd, CNI's plugins and the program that holds a pod's
# network. It has no Pod Security admission. It takes about ten minutes on two cores.
set -euo pipefail

target=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version='1.20.5+really1.20.2-1.1+deb12u1'
command -v gcc > /dev/null || { echo "build_cluster: gcc is missing: apt-get install gcc" >&2; exit 1; }

# A list of its own, so that the machine's sources stay as they are.
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
printf 'deb [signed-by=%s] %s bookworm main\ndeb-src [signed-by=%s] %s bookworm main\n' \
    "$keyring" "$mirror" "$keyring" "$mirror" > "$work/sources.list"
cat > "$work/apt.conf" << CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
CONF
export APT_CONFIG="$work/apt.conf"

cd "$work"
apt-get -q update
apt-get -q source --download-only "kubernetes=$version"
apt-get -q download golang-1.19-go golang-1.19-src etcd-server containernetworking-plugins conntrack
for package in *.deb; do dpkg -x "$package" root; done
install root/usr/bin/etcd root/usr/sbin/conntrack "$target"
install -D -t "$target/cni" root/usr/lib/cni/*

cp -rL root/usr/share/go-1.19 go
cp -r root/usr/lib/go-1.19/bin go/bin
cp -r root/usr/lib/go-1.19/pkg/. go/pkg/ 2> /dev/null || true
cp root/usr/lib/go-1.19/VERSION go/VERSION
mkdir -p path/src/k8s.io
tar -xzf kubernetes_*.orig.tar.gz
mv kubernetes-1.20.2 path/src/k8s.io/kubernetes

export GOROOT="$work/go" GOPATH="$work/path" GOCACHE="$work/go-cache"
export GO111MODULE=off GOFLAGS= PATH="$work/go/bin:$PATH"
cd path/src/k8s.io/kubernetes

patch -p1 --quiet < "$here/kubernetes-1.20.patch"
# The stable versions of two groups are those of the last beta under another name.
copy_version() { # GROUP BETA STABLE
    for parent in staging/src/k8s.io/api pkg/apis; do
        cp -r "$parent/$1/$2" "$parent/$1/$3"
        find "$parent/$1/$3" -name '*_test.go' -delete
        find "$parent/$1/$3" -name '*.go' -exec sed -i \
            "s#$1/$2#$1/$3#g; s#$1\\.$2#$1.$3#g; s#Version: \"$2\"#Version: \"$3\"#" {} +
    done
}
copy_version autoscaling v2beta2 v2
copy_version policy v1beta1 v1

# The API server's description of itself is generated, and not part of the source.
CGO_ENABLED=0 go build -o "$work/openapi-gen" \
    k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(grep --include='*.go' -rl '+k8s:openapi-gen=' staging/src/k8s.io pkg cmd \
    | grep -vE 'zz_generated|_test.go|/testdata/|/examples?/|sample-|code-generator|kube-openapi' \
    | xargs -n1 dirname | sort -u \
    | sed -E 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^(pkg|cmd)/#k8s.io/kubernetes/\1/#' \
    | paste -sd,)
"$work/openapi-gen" -O zz_generated.openapi -p k8s.io/kubernetes/pkg/generated/openapi \
    --go-header-file hack/boilerplate/boilerplate.generatego.txt \
    --output-base "$GOPATH/src" -r "$work/violations" -i "$inputs"

flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    for vendored in "$package" "k8s.io/kubernetes/vendor/$package"; do
        flags="$flags -X $vendored.gitVersion=v1.20.2"
        flags="$flags -X $vendored.gitMajor=1 -X $vendored.gitMinor=20"
    done
done
# The kubelet's libraries need C; nothing else does.
for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
    CGO_ENABLED=$([[ $program == kubelet ]] && echo 1 || echo 0) \
        go build -ldflags "$flags" -o "$target/$program" "k8s.io/kubernetes/cmd/$program"
done
gcc -Os -static -s -o "$target/pause" build/pause/linux/pause.c
ls -l "$target"
