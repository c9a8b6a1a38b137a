#!/usr/bin/env bash
# Everything that this machine can check. Ends with a table of what passed, failed and was skipped, and why.
#
#   PERSO_FUZZ_SECONDS  seconds for each fuzz target (default 5, 0 for none)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rows=()
passed=0 failed=0 skipped=0
step() {
  local name=$1 start=$SECONDS
  shift
  say "$name"
  if "$@"; then
    passed=$((passed + 1))
    rows+=("passed|$name|$((SECONDS - start)) s")
  else
    failed=$((failed + 1))
    rows+=("FAILED|$name|$*")
  fi
}
skip() {
  skipped=$((skipped + 1))
  rows+=("skipped|$1|$2")
}

# A configuration of this user's is not the tests'.
unset PERSO_CONFIG PERSO_KEYS
export XDG_CONFIG_HOME=/nonexistent

need_rust
need_libraries

found=$(rustc --version | cut -d' ' -f2)
if lints_are_denied "$found"; then
  denied=(-D warnings)
  lint_note=""
else
  denied=()
  lint_note=", printed, not denied: Rust $found, and $(lint_toolchain) is the named toolchain"
fi

format() { cargo fmt --check && cargo fmt --check --manifest-path fuzz/Cargo.toml; }
lints() { cargo clippy --locked --all-targets "$@" -- "${denied[@]}"; }
documentation() { RUSTDOCFLAGS="${denied[*]}" cargo doc --locked --no-deps "${features[@]}"; }
build() { cargo test --locked --no-run "${features[@]}"; }
# Unit tests, the benchmarks once each, and the examples in the documentation.
units() { cargo test --locked --lib --bins --benches "${features[@]}" && cargo test --locked --doc "${features[@]}"; }

if need_component rustfmt cargo-fmt; then
  step "format" format
else
  skip "format" "rustfmt is not installed, and there is no rustup to add it"
fi
if need_component clippy cargo-clippy; then
  if [ ${#features[@]} = 0 ]; then
    step "lints$lint_note" lints
  else
    skip "lints with PC/SC" "libpcsclite-dev is not installed"
  fi
  step "lints without PC/SC$lint_note" lints --no-default-features
else
  skip "lints" "clippy is not installed, and there is no rustup to add it"
  step "build without PC/SC" cargo check --locked --all-targets --no-default-features
fi

# Keys in a token are tested with SoftHSM.
have softhsm2-util || apt_install softhsm2 || true
have softhsm2-util || skip "keys in a token" "softhsm2 is not installed and could not be"

step "build of the tests" build
step "unit tests, benchmarks once, documentation examples" units

files() { cargo test --locked --no-fail-fast "${features[@]}" "$@"; }

step "rung 1, vectors from outside: vectors" files --test vectors
# Rung 2, recorded exchanges of real cards, is among these as soon as a recording is in the repository; so is rung 3, the
# simulated card.
step "the program and its parts, rungs 2 and 3: it" \
  files --test it -- --skip power_cuts:: --skip crash::
step "keys in files, processes and tokens: custody, key_stores" files --test custody --test key_stores
# Says how many exchanges each profile takes.
step "rung 3, the power cut at every exchange: it power_cuts" files --test it power_cuts:: -- --show-output
step "rung 3, runs killed and interrupted at random moments: scripts/crash.sh" scripts/crash.sh 50
if [ ${#features[@]} != 0 ]; then
  skip "rung 4, virtual readers behind pcscd" "libpcsclite-dev is not installed"
elif why=$(scripts/virtual-readers.sh --ready 2>&1); then
  # No network in there, so nothing may be fetched.
  step "rung 4, virtual readers behind pcscd: pcsc" \
    scripts/virtual-readers.sh --readers 16 cargo test --locked --offline --test pcsc
  # As on a machine that permits none. One test that takes the service down and starts it again.
  step "rung 4, virtual readers without a namespace" \
    scripts/virtual-readers.sh --no-namespace --readers 16 cargo test --locked --offline --test pcsc -- "through a restart"
else
  skip "rung 4, virtual readers behind pcscd" "$(tail -n 1 <<<"$why")"
fi
if [ ${#features[@]} != 0 ]; then
  skip "rung 4, programs of others" "libpcsclite-dev is not installed"
elif why=$(scripts/foreign.sh --ready 2>&1); then
  # Prints its own table, with what of it was skipped and why. What was skipped there has not passed here.
  summary=$(mktemp)
  step "rung 4, programs of others" env PERSO_FOREIGN_SUMMARY="$summary" scripts/foreign.sh
  if [[ ${rows[-1]} == passed* ]]; then
    told=$(strangers_outcome "$summary")
    rows[-1]="${told%%|*}|rung 4, programs of others|${told#*|}"
    if [ "${told%%|*}" = skipped ]; then passed=$((passed - 1)) skipped=$((skipped + 1)); fi
  fi
  rm -f "$summary"
else
  skip "rung 4, programs of others" "$(tail -n 1 <<<"$why")"
fi
skip "rung 5, a real card" "opt-in, and not part of this version yet"

step "documentation$lint_note" documentation

seconds=${PERSO_FUZZ_SECONDS:-5}
if [ "$seconds" = 0 ]; then
  skip "fuzzing" "PERSO_FUZZ_SECONDS is 0"
elif why=$(scripts/fuzz.sh --ready 2>&1); then
  step "fuzzing, $seconds s a target" scripts/fuzz.sh "$seconds"
else
  skip "fuzzing" "$(tail -n 1 <<<"$why")"
fi

say "summary"
printf '%s\n' "${rows[@]}" | while IFS='|' read -r state name note; do printf '%-8s %s (%s)\n' "$state" "$name" "$note"; done
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
