#!/usr/bin/env bash
# Screens of every command on a terminal, to be looked at: the help of each, and what the usual commands print.
#
#   scripts/screens.sh [COLUMNS…]     default: 80 120
#
# Writes target/screens/COLUMNS/NAME.txt, with colours left out. Takes the program from PERSO, else target/debug/perso, and
# needs tmux. Nothing is compared: what a screen should look like is for people.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
perso=${PERSO:-$root/target/debug/perso}
command -v tmux >/dev/null || { echo "tmux is not installed: apt-get install tmux" >&2; exit 1; }
[ -x "$perso" ] || { echo "$perso is not there: cargo build" >&2; exit 1; }
[ $# -gt 0 ] || set -- 80 120

lab=$(mktemp -d)
socket=perso-screens-$$
trap 'tmux -L "$socket" kill-server 2>/dev/null || true; rm -rf "$lab"' EXIT
mkdir "$lab/bin" "$lab/orders"
ln -s "$perso" "$lab/bin/perso"
ln -s "$root/card-profiles" "$lab/card-profiles"
samples=$root/tests/samples
cp "$samples/keys.test.json" "$lab/keys.json"
cp "$samples/debit-aes-scp03.record.json" "$lab/record.json"
cp "$samples/orders/site.toml" "$lab/site.toml"
cp "$samples/orders/visa-like.json" "$lab/order.json"
cp "$samples/orders"/{visa-like,own,mastercard-like}.json "$lab/orders"
cp "$samples/issuer/visa-like.issuer.test.json" "$lab/issuer.json"
cp "$samples/ca-keys.test.json" "$lab/ca-keys.json"
echo '{"perso_record": 1' > "$lab/broken.json"
echo 4761739001010119 > "$lab/pan.txt"
export PATH=$lab/bin:$PATH PCSCLITE_CSOCK_NAME=$lab/no-pcscd

# Paths of all commands, from the help itself.
commands() {
  local sub
  echo "$*"
  for sub in $("$perso" "$@" -h | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z0-9-]*\) .*/\1/p' | grep -v '^help$'); do commands "$@" "$sub"; done
}

{
  commands | while read -r path; do
    name=${path// /-}
    printf '%s\t%s\n' "help-${name:-perso}" "perso $path -h" "help-${name:-perso}-long" "perso $path --help"
  done
  K="--keys keys.json"
  S="--site site.toml --issuer-certificate issuer.json"
  while IFS='|' read -r name line; do printf '%s\t%s\n' "$name" "$line"; done <<LINES
doctor|perso doctor $K
check|perso check record.json keys.json card-profiles/debit-aes-scp03.toml $K
check-folder|perso check orders card-profiles $K --site site.toml
check-broken|perso check broken.json none.json site.toml
plan|perso plan record.json $K
record-show|perso record show record.json $K
sim-new|perso sim new debit-aes-scp03 $K --record record.json -o card.json
run|perso run record.json $K --reader sim:card.json --trace job.trace
run-again|perso run record.json $K --reader sim:card.json
run-order|perso run order.json $K $S --reader sim
run-spoiled|perso run record.json $K --reader sim --fault 'cut after 12'
run-fault-silent|perso run record.json $K --reader sim --fault 'cut after 200'
run-no-reader|perso run record.json $K --reader 0
run-usage|perso run record.json
usage|perso rnu
verify|perso verify --reader sim:card.json --aid A000000999
verify-record|perso verify record.json $K --reader sim:card.json
card-info|perso card info --reader sim:card.json
card-apps|perso card apps --reader sim:card.json $K
card-data|perso card data --reader sim:card.json --aid A000000999
card-apdu|perso card apdu --reader sim:card.json 80CA9F7F00
trace-show|perso trace show job.trace
trace-keys|perso trace show job.trace $K
trace-replay|perso trace replay job.trace record.json $K
prepare|perso prepare order.json $K $S -o made.json
keys-list|perso keys list keys.json
ca-list|perso ca list ca-keys.json
explain-auth|perso explain-auth --reader sim:card.json $K
explain|perso explain
explain-code|perso explain CARD-CRYPTOGRAM
readers|perso readers
calc-luhn|perso calc luhn 411111111111111 --compute
calc-kcv|perso calc kcv --key lab-kmc-des $K
calc-tlv|perso calc tlv 6F1B8407A0000000031010A510500B56495341204352454449548701019000
config-check|perso config check
LINES
} > "$lab/screens.tsv"

# One shell on each terminal shows all screens one after the other, and copies each.
cat > "$lab/show.sh" <<'SHOW'
cd "$1"
while IFS=$'\t' read -r name line; do
  clear; tmux clear-history -t "$TMUX_PANE"
  eval "$line" < /dev/null
  tmux capture-pane -p -S - -t "$TMUX_PANE" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "$2/$name.txt"
done < screens.tsv
tmux wait-for -S shown
SHOW

for columns in "$@"; do
  out=$root/target/screens/$columns
  rm -rf "$out"; mkdir -p "$out"
  rm -f "$lab"/card.json* "$lab"/job.trace "$lab"/made.json
  tmux -L "$socket" -f /dev/null new-session -d -x "$columns" -y 50 "bash '$lab/show.sh' '$lab' '$out'"
  tmux -L "$socket" wait-for shown
  echo "$(ls "$out" | wc -l) screens in target/screens/$columns"
done
