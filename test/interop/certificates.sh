#!/usr/bin/env bash
# Makes certificates for tests, valid for a week: certificates.sh DIR
#   ca.pem                        signs server.pem and client.pem
#   server.pem, server.key        localhost, 127.0.0.1 and *.test.google.fr
#   client.pem, client.key        CN=client, URI spiffe://test/client
#   other_ca.pem                  nobody trusts it; signs other_client.pem
#   other_client.pem, other_client.key
set -euo pipefail

case ${1:-} in
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
  "" | -*) echo "usage: certificates.sh DIR (see --help)" >&2; exit 2 ;;
esac
mkdir -p "$1"
cd "$1"
umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

readonly days=7

# Quiet unless it fails.
openssl_() { openssl "$@" 2> "$scratch/log" || { cat "$scratch/log" >&2; echo "certificates: openssl $1 failed" >&2; exit 1; }; }

key() { openssl_ genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# authority <name> <common name>
authority() {
  key "$scratch/$1.key"
  openssl_ req -x509 -new -key "$scratch/$1.key" -out "$1.pem" -days "$days" -subj "/O=weft test/CN=$2" \
    -addext "keyUsage=critical,keyCertSign,cRLSign"
}

# certificate <name> <authority> <common name> <extended usage> <alternative names>
certificate() {
  key "$1.key"
  openssl_ req -new -key "$1.key" -out "$scratch/$1.csr" -subj "/O=weft test/CN=$3"
  cat > "$scratch/$1.ext" << EOF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = $4
subjectAltName = $5
EOF
  openssl_ x509 -req -in "$scratch/$1.csr" -CA "$2.pem" -CAkey "$scratch/$2.key" -CAcreateserial -CAserial "$scratch/$2.srl" \
    -days "$days" -extfile "$scratch/$1.ext" -out "$1.pem"
}

authority ca "test authority"
authority other_ca "another authority"
certificate server ca localhost serverAuth "DNS:localhost, DNS:*.test.google.fr, IP:127.0.0.1"
certificate client ca client clientAuth "URI:spiffe://test/client"
certificate other_client other_ca client clientAuth "URI:spiffe://test/client"
