#!/usr/bin/env bash
# What perso costs over virtual PC/SC readers, beside what the same work costs otherwise, all in one run. Prints the machine,
# the command and the ratios; docs/benchmarks.md records such a run.
#
#   scripts/bench.sh [--strict] > report.md
#
# It ends with the aims, and what has met or missed them. With --strict a missed aim is exit code 1: for a quiet machine.
# Programs of others that are not installed are skipped; the report says so.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "$*" in
  '') ;;
  --strict) export PERSO_BENCH_STRICT=1 ;;
  *) die "usage: scripts/bench.sh [--strict] > report.md" ;;
esac
need_rust
need_libraries >&2
[ ${#features[@]} = 0 ] || die "libpcsclite-dev is not installed: there is nothing to measure without PC/SC"
scripts/virtual-readers.sh --ready >&2
if [ -x scripts/foreign.sh ]; then
  scripts/foreign.sh --ready >&2 || true
fi
# Neither in the time that is measured nor where there is no network.
cargo bench --locked --no-run --bench readers --bench prepare >&2

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
system=$(. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME")
echo "# A run of scripts/bench.sh"
echo
echo "- perso $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1), $(rustc --version)"
echo "- $(nproc) processors (${processor:-unknown}), ${system:-unknown system}, load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "- pcscd and vpcd in a namespace of their own, 16 virtual readers, simulated cards in the same process"
echo "- command: \`scripts/bench.sh\`"
cargo bench --locked --offline --quiet --bench prepare
scripts/virtual-readers.sh --readers 16 cargo bench --locked --offline --quiet --bench readers
