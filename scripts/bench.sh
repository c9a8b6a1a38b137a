#!/usr/bin/env bash
# Measures perso over virtual readers and prints ratios, each within one run: docs/benchmarks.md says what they mean.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_rust
need_libraries
[ ${#features[@]} = 0 ] || die "libpcsclite-dev is not installed and could not be: there is nothing to measure over readers"

say "building (release)"
cargo build --release --locked
cargo bench --locked --bench readers --no-run
perso="${CARGO_TARGET_DIR:-target}/release/perso"

say "this machine"
lscpu | sed -n 's/^Model name: */processor  /p; s/^CPU(s): */cores      /p'
echo "kernel     $(uname -sr)"
echo "compiler   $(rustc --version)"
echo "load       $(cut -d' ' -f1-3 /proc/loadavg) (1, 5, 15 minutes)"

say "over virtual readers: scripts/virtual-readers.sh --readers 16 cargo bench --locked --bench readers"
if why=$(scripts/virtual-readers.sh --ready 2>&1); then
  scripts/virtual-readers.sh --readers 16 cargo bench --locked --bench readers
else
  echo "skipped: ${why##*$'\n'}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "peak memory of one job on a simulated card in the same process (aim 15 MB)"
if [ -x /usr/bin/time ] || apt_install time; then
  /usr/bin/time -f %M -o "$work/peak" "$perso" run tests/samples/debit-contact-scp02.record.json \
    --keys tests/samples/keys.test.json --profiles card-profiles --reader sim --journal "$work/journal" >/dev/null
  echo "  $(awk '{ printf "%.1f", $1 / 1024 }' "$work/peak") MiB: perso run tests/samples/debit-contact-scp02.record.json --reader sim"
else
  echo "skipped: /usr/bin/time is not installed and could not be"
fi

say "not measured here: other hosts (scll, Py-GP, yubikit) doing the same authentication and STORE DATA"
