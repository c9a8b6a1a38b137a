#!/usr/bin/env bash
# Runs a command beside a PC/SC service of its own with virtual readers, and stops that service afterwards.
#
#   scripts/virtual-readers.sh [--readers N] COMMAND…     N readers, 1 to 16 (default 2); they come in pairs
#   scripts/virtual-readers.sh --ready                    install what is missing; fails and says why where that is not possible
#
# The command finds N empty readers, and in PERSO_VPCD the address where the first card goes (`perso sim serve --connect`).
# Service and readers live in a network and mount namespace of their own, so that several can run side by side and nothing
# can be reached from outside. In PERSO_PCSCD stands the file with the service's process id, and in PERSO_PCSCD_START a command that
# starts it again.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

find_driver() { find /usr/lib/pcsc/drivers /usr/lib /usr/local/lib -name 'libifdvpcd.so*' -type f 2>/dev/null | head -n 1; }

ready() {
  local missing=()
  have pcscd || missing+=(pcscd)
  [ -n "$(find_driver)" ] || missing+=(vsmartcard-vpcd)
  have unshare || missing+=(util-linux)
  have ip || missing+=(iproute2)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || { echo "${missing[*]} are not installed and could not be"; return 1; }
  # What PC/SC packages install is of no use while the driver is not there.
  [ -n "$(find_driver)" ] || { echo "vsmartcard's vpcd is not installed"; return 1; }
  namespace true || { echo "this machine allows no namespace of one's own"; return 1; }
}

# As root at once; otherwise as root of a user namespace.
namespace() {
  if [ "$(id -u)" = 0 ]; then unshare -m -n "$@"; else unshare -Urmn "$@"; fi
}

readers=2
case "${1:-}" in
  --ready) ready && exit 0 || exit 1 ;;
  --readers) readers=$2 && shift 2 ;;
  --within) ;;
  '') die "usage: scripts/virtual-readers.sh [--readers N] COMMAND…" ;;
esac

if [ "${1:-}" != --within ]; then
  case "$readers" in *[!0-9]* | '') die "--readers takes 1 to 16" ;; esac
  [ "$readers" -ge 1 ] && [ "$readers" -le 16 ] || die "--readers takes 1 to 16"
  ready || exit 1
  if [ "$(id -u)" = 0 ]; then
    exec unshare -m -n "$project/scripts/virtual-readers.sh" --within "$readers" "$@"
  fi
  exec unshare -Urmn "$project/scripts/virtual-readers.sh" --within "$readers" "$@"
fi

# From here on inside the namespace.
readers=$2
shift 2
ip link set lo up
mkdir -p /run/pcscd 2>/dev/null || mount -t tmpfs tmpfs /run
mkdir -p /run/pcscd
mount -t tmpfs tmpfs /run/pcscd

# Two readers share one copy of the driver, and copies under one name share one table of slots: so a copy for each pair.
work=$(mktemp -d)
mkdir "$work/readers.d"
port=35963
driver=$(find_driver)
for ((pair = 0; pair * 2 < readers; pair++)); do
  cp "$driver" "$work/libvpcd$pair.so"
  cat >"$work/readers.d/vpcd$pair" <<CONFIG
FRIENDLYNAME "Virtual $pair"
DEVICENAME /dev/null:$((port + pair * 2))
LIBPATH $work/libvpcd$pair.so
CHANNELID $((port + pair * 2))
CONFIG
done

cat >"$work/start" <<START
#!/bin/sh
# What a service that was killed has left behind.
rm -f /run/pcscd/pcscd.comm /run/pcscd/pcscd.pid
pcscd --foreground --config $work/readers.d >>$work/pcscd.log 2>&1 &
echo \$! >$work/pcscd.pid
for _ in \$(seq 100); do [ -S /run/pcscd/pcscd.comm ] && exit 0; sleep 0.05; done
echo "pcscd has not come up:" >&2
tail -n 20 $work/pcscd.log >&2
exit 1
START
chmod +x "$work/start"

stop() {
  if [ -s "$work/pcscd.pid" ]; then kill "$(cat "$work/pcscd.pid")" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT
"$work/start"
PERSO_VPCD=127.0.0.1:$port PERSO_PCSCD=$work/pcscd.pid PERSO_PCSCD_START=$work/start "$@"
