#!/usr/bin/env bash
# An authority of one's own, and certificates of it, where there is no other: deploy/local-ca.sh FOLDER NAME...
# Makes FOLDER/ca.crt and its key, if they are not there, and for each NAME (an address or a host name) FOLDER/NAME.crt
# and FOLDER/NAME.key, for 90 days. Run again, it renews them: running servers find that by themselves.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: deploy/local-ca.sh FOLDER NAME..." >&2; exit 64; }
folder=$1
shift
umask 077
mkdir -p "$folder"
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() { "$@" 2>"$scratch/said" || { cat "$scratch/said" >&2; exit 1; }; }

if [ ! -e "$folder/ca.crt" ]; then
  quietly openssl req -x509 "${new_key[@]}" -days 3650 -subj "/CN=Wherry local authority $(date +%F)" \
    -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$folder/ca.secret" -out "$folder/ca.crt"
  chmod 644 "$folder/ca.crt"
fi
for name in "$@"; do
  kind=DNS
  [[ $name =~ ^[0-9.]+$|: ]] && kind=IP
  printf 'subjectAltName=%s:%s\nextendedKeyUsage=serverAuth\n' $kind "$name" >"$scratch/extensions"
  quietly openssl req "${new_key[@]}" -subj "/CN=$name" -keyout "$scratch/key" -out "$scratch/request"
  quietly openssl x509 -req -in "$scratch/request" -CA "$folder/ca.crt" -CAkey "$folder/ca.secret" -days 90 \
    -extfile "$scratch/extensions" -out "$scratch/certificate"
  chmod 644 "$scratch/certificate"
  # Key first: who reads between the two finds a pair that does not fit, keeps the old one and looks again.
  cp "$scratch/key" "$folder/.$name.key" && mv "$folder/.$name.key" "$folder/$name.key"
  cp "$scratch/certificate" "$folder/.$name.crt" && mv "$folder/.$name.crt" "$folder/$name.crt"
done
