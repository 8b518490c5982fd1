#!/usr/bin/env bash
# Installs, builds, starts a master and a node on loopback, both with certificates of an authority that it makes, pushes
# a small real image to the master and pulls it through the node. deploy/quickstart.sh [--keep]: with --keep both go on running.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: deploy/quickstart.sh [--keep]" >&2; exit 64; }
keep=
for word in "$@"; do
  case $word in
    --keep) keep=yes ;;
    *) usage ;;
  esac
done

master=127.0.0.1:5000 master_observe=127.0.0.1:5001
node=127.0.0.1:5010 node_observe=127.0.0.1:5011
area=$PWD/build/quickstart
image=demo/hello:v1

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "quickstart.sh: $*" >&2; exit 1; }

say "1. What it is built with and runs on (deploy/install-deps.sh)"
bash deploy/install-deps.sh --quickstart

say "2. Building (some minutes the first time)"
mkdir -p build
log=build/quickstart-build.log
if ! { cmake --preset release && cmake --build --preset release -j"$(nproc)" --target wherry-master wherry-node; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  fail "the build failed; all of it is in $log"
fi

pids=()
finish() {
  local status=$?
  if [ -n "$keep" ] && [ $status = 0 ]; then return; fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ $status = 0 ] || echo "quickstart.sh: the logs are in $area" >&2
}
trap finish EXIT

# start NAME OBSERVE COMMAND...: starts a server and waits until it is ready.
start() {
  local name=$1 observe=$2 pid
  shift 2
  setsid "$@" >"$area/$name.log" 2>&1 </dev/null &
  pid=$!
  pids+=("$pid")
  for _ in $(seq 200); do
    if curl -fs -o "$area/ready" "http://$observe/readyz" && kill -0 "$pid" 2>/dev/null; then return; fi
    kill -0 "$pid" 2>/dev/null || { tail -n 5 "$area/$name.log" >&2; fail "$name ended at once"; }
    sleep 0.1
  done
  fail "$name was not ready within 20 s"
}

say "3. Starting a master on $master and a node on $node"
for address in $master $master_observe $node $node_observe; do
  if (exec 3<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null; then
    fail "something listens on $address already; end it first (an earlier --keep?)"
  fi
done
rm -rf "$area"
mkdir -p "$area"
deploy/local-ca.sh "$area/certificates" 127.0.0.1
ca=$area/certificates/trust/ca.crt  # alone in its folder: skopeo and podman take all that is beside it
mkdir -p "$area/certificates/trust"
cp "$area/certificates/ca.crt" "$ca"
tls=(--tls-certificate "$area/certificates/127.0.0.1.crt" --tls-key "$area/certificates/127.0.0.1.key")
printf 'parent:\n  url: https://%s\n  ca-file: %s\n' "$master" "$ca" >"$area/node.yaml"
start master $master_observe build/release/bin/wherry-master serve \
  --data "$area/master" --listen $master --observe $master_observe "${tls[@]}"

# Passwords are in files alone. The first start has made an administrator, whose password has to be changed.
umask 077
export XDG_CONFIG_HOME=$area/config REGISTRY_AUTH_FILE=$area/logins.json
secret() { head -c 18 /dev/urandom | base64 | tr -d '\n' >"$area/$1-password"; }
at_master() { build/release/bin/wherry-master "$@" --server "https://$master" --ca-file "$ca"; }
secret admin
secret dev
at_master user password admin --password-file "$area/master/initial-admin-password" --new-password-file "$area/admin-password"
at_master login --user admin --password-file "$area/admin-password"
at_master project add "${image%%/*}"
at_master user add dev --new-password-file "$area/dev-password"
at_master grant add "${image%%/*}" user:dev --role developer
at_master node add edge >"$area/join-token"
start node $node_observe build/release/bin/wherry-node serve --join "$(cat "$area/join-token")" \
  --data "$area/node" --listen $node --observe $node_observe "${tls[@]}" --config "$area/node.yaml"
for address in $master $node; do
  skopeo login --cert-dir "$area/certificates/trust" --username dev --password-stdin "$address" <"$area/dev-password"
done

say "4. A small image, made on the spot"
mkdir -p "$area/tree"
cp -r README.md deploy "$area/tree"
umoci init --layout "$area/layout"
umoci new --image "$area/layout:v1"
umoci insert --image "$area/layout:v1" "$area/tree" /opt/wherry
umoci config --image "$area/layout:v1" --config.cmd /bin/sh

say "5. skopeo pushes it to the master and pulls it from the node"
skopeo --insecure-policy copy --dest-cert-dir "$area/certificates/trust" "oci:$area/layout:v1" "docker://$master/$image"
skopeo --insecure-policy copy --src-cert-dir "$area/certificates/trust" "docker://$node/$image" "oci:$area/pulled:v1"
digest() { skopeo inspect --cert-dir "$area/certificates/trust" --format '{{.Digest}}' "docker://$1/$image"; }
at_master=$(digest $master)
at_node=$(digest $node)
[ "$at_master" = "$at_node" ] || fail "the digests differ: $at_master at the master, $at_node at the node"
echo "the same digest at both: $at_master"

say "Done."
if [ -n "$keep" ]; then
  cat <<EOF
Both go on running; their logs and data are in $area, passwords in $area/*-password. Go on with, for instance:
  export REGISTRY_AUTH_FILE=$REGISTRY_AUTH_FILE XDG_CONFIG_HOME=$XDG_CONFIG_HOME
  skopeo copy --dest-cert-dir ${ca%/*} docker-archive:app.tar docker://$master/demo/app:v1
  podman pull --cert-dir ${ca%/*} $node/$image
  build/release/bin/wherry-master user list --server https://$master --ca-file $ca
  curl -s $node_observe/metrics | grep wherry_
End them:
  kill ${pids[*]}
EOF
else
  cat <<EOF
Master and node were ended again; deploy/quickstart.sh --keep leaves them running. README.md goes on from here:
configuration, and what a node does. tests/run.sh runs all tests.
EOF
fi
