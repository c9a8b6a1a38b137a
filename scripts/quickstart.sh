#!/usr/bin/env bash
# Builds perso and makes one card of a prepared record: the simulated one, so that no reader is needed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need_rust
need_libraries
if [ ${#features[@]} -gt 0 ]; then
  say "building without PC/SC"
  echo "libpcsclite-dev is not installed and could not be: real readers will not work, the simulated card will."
fi

say "building perso (a few minutes the first time)"
cargo build --release --locked "${features[@]}"

perso="${CARGO_TARGET_DIR:-target}/release/perso"
version_names_commit "$perso"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "one record, one simulated card, one verdict"
code=0
"$perso" run tests/samples/debit-contact-scp02.record.json \
  --keys tests/samples/keys.test.json --profiles card-profiles --reader sim \
  --journal "$work/journal" || code=$?
[ "$code" = 0 ] || die "perso ended with exit code $code"

cat <<'TEXT'

What has just happened: perso opened a sealed record, checked it against its card profile, logged in to a simulated blank
card over SCP02 (the card's cryptogram first), loaded its groupings with STORE DATA under the session keys, read the card back
as a terminal would, and compared. What cannot be read back is listed above as loaded, not proven.

Next:
  target/release/perso plan tests/samples/debit-contact-scp02.record.json --keys tests/samples/keys.test.json --profiles card-profiles
  target/release/perso --help
TEXT
