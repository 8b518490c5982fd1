#!/usr/bin/env bash
# Installs the Debian packages that Wherry is built with (--quickstart: and what the quick start runs; --tests: and what the tests
# run; --bench: and what the benches run beside us).
# The one list of dependencies: a package a line, with its reason.
# Quick and without a network when nothing is missing.
set -euo pipefail

build_packages='
cmake                   # the build; 3.25 is the oldest that works
g++                     # the compiler (C++23; 12 is the oldest that works)
ninja-build             # runs the build
ccache                  # a second build of the same sources costs seconds
mold                    # links quickly
pkg-config              # how CMake finds libuv
git                     # the version that is built
libuv1-dev              # event loops
librocksdb-dev          # the ordered key-value store
libssl-dev              # TLS, SHA-256, SHA-512
libxxhash-dev           # checksums at rest
libcurl4-openssl-dev    # the HTTP client of a node
zlib1g-dev              # gzip of the feed for thin links
nlohmann-json3-dev      # JSON
libyaml-cpp-dev         # configuration files
libtomlplusplus-dev     # the configuration files of containerd and podman
libcli11-dev            # command lines
libspdlog-dev           # logging
libfmt-dev              # formatting, for spdlog
prometheus-cpp-dev      # metrics
libldap-dev             # logging in against LDAP and Active Directory
libtorrent-rasterbar-dev # blobs shared between nodes
libgtest-dev            # unit tests
libgmock-dev            # unit tests
libbenchmark-dev        # microbenchmarks
'
# llhttp parses HTTP: a library of its own from Debian 13 on, before it the C sources inside node-llhttp.
llhttp_packages='libllhttp-dev node-llhttp'

quickstart_packages='
skopeo                  # pushes and pulls images
umoci                   # makes real images without a network
curl                    # asks whether a server is ready
openssl                 # an authority and certificates (deploy/local-ca.sh)
'
test_packages='
python3                 # runs the tests
python3-pytest          # runs the tests
python3-pytest-timeout  # a test that hangs fails instead
python3-pytest-xdist    # test files beside one another: most tests wait
podman                  # real client
buildah                 # real client
containerd              # real client: its ctr
docker-registry         # a foreign parent for the node, and the peer of bench/
nginx                   # the peer of bench/
slapd                   # a real directory for the tests of logging in
ldap-utils              # asks that directory by hand
samba                   # an Active Directory for the same
samba-ad-dc             # its domain controller
samba-ad-provision      # what its domain is made of
winbind                 # wanted by the controller
jq                      # reads JSON in scripts
e2fsprogs               # small file systems for power cuts and full disks
util-linux              # loop devices for the same
mount                   # mount for the same
clang-19                # the second compiler, and libFuzzer
clang-format-19         # the style check
libclang-rt-19-dev      # sanitizers and libFuzzer for it
'

bench_packages='
python3                 # runs the benches
python3-matplotlib      # their plots
docker-registry         # distribution 2.8 beside us
nginx                   # static files beside us
skopeo                  # the client of bench/swarm/image
curl                    # the client of bench/swarm/run
iproute2                # the links of both
linux-perf              # profiles and flame graphs
'

groups=$build_packages
case ${1-} in
  '') ;;
  --quickstart) groups+=$quickstart_packages ;;
  --tests)
    groups+=$quickstart_packages$test_packages
    # crane, oras and the conformance suite are Go programs; any Go that is already there will do.
    command -v go >/dev/null || groups+='golang'
    ;;
  --bench)
    groups+=$bench_packages
    command -v go >/dev/null || groups+='golang'
    ;;
  *) echo "usage: deploy/install-deps.sh [--quickstart|--tests|--bench]" >&2; exit 64 ;;
esac

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
# The whole answer is read first: a reader that leaves early would be a failure of the pipe.
offered() { grep -q '^  Candidate: [0-9]' <<<"$(apt-cache policy "$1")"; }

missing=()
for package in $(sed 's/#.*//' <<<"$groups"); do
  installed "$package" || missing+=("$package")
done
llhttp=
for package in $llhttp_packages; do
  if installed "$package"; then llhttp=$package; break; fi
done
[ ${#missing[@]} -gt 0 ] || [ -z "$llhttp" ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps.sh: neither root nor sudo; still missing: ${missing[*]} ${llhttp:-$llhttp_packages}" >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
if [ -z "$llhttp" ]; then
  for package in $llhttp_packages; do
    if offered "$package"; then llhttp=$package; break; fi
  done
  [ -n "$llhttp" ] || { echo "install-deps.sh: this system offers none of $llhttp_packages" >&2; exit 1; }
  missing+=("$llhttp")
fi
echo "install-deps.sh: installing ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
# These are here for their programs: no daemon of theirs is wanted, though being installed starts it, by systemd or without.
for daemon in nginx docker-registry slapd samba/smbd samba/nmbd samba/samba-ad-dc winbind; do
  package=${daemon%/*} service=${daemon#*/}
  [[ " ${missing[*]} " == *" $package "* ]] || continue
  if [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now --quiet "$service" || true
  elif [ -x "/etc/init.d/$service" ]; then
    "${as_root[@]}" "/etc/init.d/$service" stop >/dev/null 2>&1 || true
    "${as_root[@]}" update-rc.d "$service" disable >/dev/null 2>&1 || true
  fi
done
