#!/usr/bin/env bash
# Installs the Debian packages that dmarcstat needs and that are missing; does nothing when all are there.
#
#   scripts/install-dependencies.sh           to build
#   scripts/install-dependencies.sh --test    to build and test
#   scripts/install-dependencies.sh --bench   to build and measure
#
# The -dev packages are read from Package.swift, so that there is one list. Uses sudo when not root.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "install-dependencies: $*" >&2; }

packages=(pkg-config libsqlite3-dev)
while read -r name; do packages+=("$name"); done < <(
    grep -o 'providers: \[\.apt(\[[^]]*\])' Package.swift | grep -o '"[^"]*"' | tr -d '"' | sort -u)
case "${1:-}" in
    "") ;;
    --test) packages+=(python3 dovecot-imapd openssl strace faketime) ;;
    --bench) packages+=(python3 gcc libc6-dev libexpat1-dev libdeflate-dev dovecot-imapd openssl) ;;
    *) say "unknown argument: $1 (expected --test, --bench or nothing)"; exit 64 ;;
esac

if ! command -v swift >/dev/null; then
    say "no 'swift' in PATH. Install Swift 6.2 or newer from https://www.swift.org/install/linux/ and try again."
    exit 69
fi
if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian or Ubuntu, so nothing was installed. Needed are the equivalents of: ${packages[*]}"
    exit 0
fi

missing=()
for name in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$name")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

as_root=()
if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        say "missing: ${missing[*]}"
        say "you are not root and there is no sudo. As root, run: apt-get install --no-install-recommends ${missing[*]}"
        exit 77
    fi
    as_root=(sudo)
fi
say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install=("${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}")
# The package lists are fetched only when what is there does not do: often it does, and the network may be slow.
if ! "${install[@]}" >&2; then
    "${as_root[@]}" apt-get update -q >&2
    "${install[@]}" >&2
fi
