#!/usr/bin/env bash
# Runs every fuzz target for some seconds, from its committed seeds.
#
#   scripts/fuzz.sh SECONDS [TARGET…]   run
#   scripts/fuzz.sh --ready             install what is missing; fails and says why where that is not possible
#
# Without a sanitizer, which stable Rust can do; RUSTC_BOOTSTRAP=1 SANITIZER=address adds AddressSanitizer.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ready() {
  have c++ || apt_install g++ || true
  have c++ || { echo "g++ is not installed and could not be" && return 1; }
  cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz ||
    { echo "cargo-fuzz is not installed and could not be" && return 1; }
}

need_rust
case "${1:-}" in
  --ready) ready && exit 0 || exit 1 ;;
  '' | *[!0-9]*) die "usage: scripts/fuzz.sh SECONDS [TARGET…]" ;;
esac
ready
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml | tail -n +2)
[ ${#targets[@]} -gt 0 ] || die "fuzz/Cargo.toml names no target"

failed=() tried=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
  say "fuzz $target, $seconds s"
  mkdir -p "fuzz/corpus/$target"
  # New inputs go to the first folder, the seeds stay as they are.
  cargo fuzz run -s "${SANITIZER:-none}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 2>&1 |
    tee "$log" || failed+=("$target")
  tried+=("$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs tried")
done
say "fuzzed for $seconds s each"
printf '%s\n' "${tried[@]}"
[ ${#failed[@]} = 0 ] || die "these targets found something, see fuzz/artifacts: ${failed[*]}"
