#!/usr/bin/env bash
# Interoperability results, against simulated cards behind virtual readers (tests/foreign.rs; the table is docs/foreign.md).
#
#   scripts/foreign.sh           run; prints the table
#   scripts/foreign.sh --ready   install what is missing; says what could not be had, and goes on without it
#
# cargo test --test foreign -- versions     cryptogram versions against pyemv only, without readers; key_blocks, token_blocks: against psec
#
# In PERSO_FOREIGN_SUMMARY may stand a file to write how many were tried and what was skipped into.
#
# Python packages are pinned by hash in tests/foreign/*.txt, each list in a virtual environment of its own under target/foreign.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

place=$project/target/foreign
emv_version=0.1.1

# One Python environment; why there is none is left beside it, for the table.
environment() {
  local name=$1 list=tests/foreign/$1.txt venv=$place/$1
  cmp -s "$list" "$venv/installed.txt" && return 0
  rm -rf "$venv"
  if python3 -m venv "$venv" >"$place/$name.log" 2>&1 &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$list" >>"$place/$name.log" 2>&1; then
    cp "$list" "$venv/installed.txt"
  else
    rm -rf "$venv"
    echo "$name could not be installed, see target/foreign/$name.log"
  fi
}

# The terminal kernel's program, under its own lock file.
kernel() {
  [ -x "$place/emv-kernel/bin/emv-test-transaction" ] && return 0
  cargo install emv --version "$emv_version" --locked --quiet --root "$place/emv-kernel" --target-dir "$place/emv-build" \
    >"$place/emv-kernel.log" 2>&1 || echo "the crate emv could not be installed, see target/foreign/emv-kernel.log"
  rm -rf "$place/emv-build"
}

ready() {
  local missing=()
  mkdir -p "$place"
  have opensc-tool || missing+=(opensc)
  have pcsc_scan || missing+=(pcsc-tools)
  # pyscard is built from its source.
  have swig || missing+=(swig)
  { have cc && [ -f /usr/include/PCSC/winscard.h ]; } || missing+=(gcc libc6-dev libpcsclite-dev)
  python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
  # pyscard finds Python.h through these.
  python3 -c 'import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' ||
    missing+=(python3-dev)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || echo "${missing[*]} are not installed and could not be"
  for name in yubikit pygp emv issuing; do environment "$name"; done
  kernel
}

need_rust
case "${1:-}" in
  --ready)
    scripts/virtual-readers.sh --ready || exit 1
    ready
    exit 0
    ;;
  '') ;;
  *) die "usage: scripts/foreign.sh [--ready]" ;;
esac
scripts/virtual-readers.sh --ready || exit 1
ready
cargo test --locked --no-run --test foreign
# No network in there, so nothing may be fetched.
scripts/virtual-readers.sh --readers 2 cargo test --locked --offline --test foreign -- --nocapture
