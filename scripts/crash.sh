#!/usr/bin/env bash
# Kills and interrupts `perso run` N times at random moments, and compares with the simulated cards' own files.
#
#   scripts/crash.sh [N [SEED]]    default: 50 runs, seed 1
#
# Ends with a table of signal and verdict. Exit code 0: every run ended as the cards' files say.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

runs=${1:-50} seed=${2:-1}
for number in "$runs" "$seed"; do
  [[ $number =~ ^[0-9]+$ ]] || { echo "usage: scripts/crash.sh [N [SEED]]" >&2; exit 2; }
done
need_rust
need_libraries
PERSO_CRASH_RUNS=$runs PERSO_CRASH_SEED=$seed cargo test --locked "${features[@]}" --test it crash:: -- --nocapture
