#!/usr/bin/env bash
# Runs that are too long for scripts/test.sh, each by its name. docs/campaigns.md records how they ended.
#
#   scripts/campaign.sh NAME [ARGUMENT…]
#
#   mutations          every mutation of every product's file: refused, told, found, or accepted with its reason (tests/it/mutations.rs)
#   crash [N [SEED]]   killed and interrupted runs, as scripts/crash.sh; 1,000 runs unless stated
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n '2,/^set /{s/^# \{0,1\}//p}' "$project/scripts/campaign.sh"; }

case "${1:-}" in
  mutations)
    [ $# = 1 ] || { usage >&2; exit 2; }
    need_rust
    need_libraries
    PERSO_MUTATIONS=all cargo test --locked "${features[@]}" --test it mutations:: -- --nocapture
    ;;
  crash)
    shift
    exec scripts/crash.sh "${1:-1000}" "${2:-1}"
    ;;
  --help | -h) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
