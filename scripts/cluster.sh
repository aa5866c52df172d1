#!/usr/bin/env bash
# Start and stop a Kubernetes cluster of one node on this machine, made by scripts/build_cluster.sh.
#
#   scripts/cluster.sh start FOLDER
#   export KUBECONFIG=FOLDER/run/kubeconfig
#   scripts/cluster.sh stop FOLDER
#
# It needs root, containerd and iptables (Debian's docker.io brings both), docker-registry, and the
# development requirements of EO Loom for the Python that `python` is, or PYTHON names. Beside
# the cluster it runs an image registry on loopback; FOLDER/run/ready tells where.
set -euo pipefail

usage() {
    echo "usage: cluster.sh start|stop FOLDER" >&2
    exit 2
}
[[ $# -eq 2 ]] || usage
folder=$(cd "$2" && pwd)
run=$folder/run
cd "$(dirname "${BASH_SOURCE[0]}")/.."

is_running() { [[ -s $run/pid ]] && kill -0 "$(< "$run/pid")" 2> /dev/null; }

case $1 in
    start)
        is_running && { echo "cluster: it runs already" >&2; exit 1; }
        mkdir -p "$run"
        rm -f "$run/ready"
        setsid "${PYTHON:-python}" -m tests.orchestrator.kubernetes.node "$folder" "$run" \
            > "$run/node.log" 2>&1 < /dev/null &
        echo $! > "$run/pid"
        for _ in $(seq 180); do
            [[ -e $run/ready ]] && break
            is_running || { cat "$run/node.log" >&2; exit 1; }
            sleep 1
        done
        [[ -e $run/ready ]] || { echo "cluster: not ready in time: see $run" >&2; exit 1; }
        cat "$run/ready"
        ;;
    stop)
        is_running || { echo "cluster: it does not run" >&2; exit 1; }
        process=$(< "$run/pid")
        kill "$process"
        while kill -0 "$process" 2> /dev/null; do sleep 0.5; done
        rm -f "$run/pid"
        ;;
    *) usage ;;
esac
