#!/usr/bin/env bash
# Runs a command beside a PC/SC service of its own with virtual readers, and stops that service afterwards.
#
#   scripts/virtual-readers.sh [--no-namespace] [--readers N] COMMAND…   N readers, 1 to 16 (default 2); they come in pairs
#   scripts/virtual-readers.sh --ready    install what is missing; fails and says why where that is not possible
#   scripts/virtual-readers.sh --help     this text
#
# COMMAND runs in the folder where this was called. Reader n of `perso readers` has the n-th card of `perso sim serve`.
#
# The command finds N empty readers, and in PERSO_VPCD the address where the first card goes (`perso sim serve --connect`).
# In PERSO_PCSCD stands the file with the service's process id, and in PERSO_PCSCD_START a command that starts it again.
#
# Service and readers live in a network and mount namespace of their own, so that several can run side by side and nothing
# can be reached from outside. Where no namespace is permitted, or with --no-namespace, the service has a socket of its own
# instead, which programs are told of in PCSCLITE_CSOCK_NAME; several can run side by side then too, but vpcd's ports are
# open to the network as long as the command runs.
set -euo pipefail
# The command runs where it was called.
caller=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

find_driver() { find /usr/lib/pcsc/drivers /usr/lib /usr/local/lib -name 'libifdvpcd.so*' -type f 2>/dev/null | head -n 1; }

ready() {
  local missing=()
  have pcscd || missing+=(pcscd)
  [ -n "$(find_driver)" ] || missing+=(vsmartcard-vpcd)
  have unshare || missing+=(util-linux)
  have ip || missing+=(iproute2)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || true
  have pcscd || { echo "pcscd is not installed and could not be"; return 1; }
  # What PC/SC packages install is of no use while the driver is not there.
  [ -n "$(find_driver)" ] || { echo "vsmartcard's vpcd is not installed and could not be"; return 1; }
  namespaces || alone
}

# As root at once; otherwise as root of a user namespace.
namespace() {
  if [ "$(id -u)" = 0 ]; then unshare -m -n "$@"; else unshare -Urmn "$@"; fi
}

# Whether there can be a namespace.
namespaces() { have unshare && have ip && namespace ip link set lo up 2>/dev/null; }

# Whether a service can be had without a namespace; says why not.
alone() {
  have perl || { echo "this machine allows no namespace of one's own, and there is no perl to make a socket for pcscd"; return 1; }
  # A service of root's writes its process id where the machine's own has it.
  if [ "$(id -u)" = 0 ] && [ -S /run/pcscd/pcscd.comm ]; then
    echo "this machine allows no namespace of one's own, and its own PC/SC service runs: stop that, or be another user than root"
    return 1
  fi
}

readers=2
where=
while true; do
  case "${1:-}" in
    --help | -h) sed -n '2,/^set /{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
    --ready) ready && exit 0 || exit 1 ;;
    --readers) readers=${2:-} && shift 2 || die "--readers takes 1 to 16" ;;
    --no-namespace) where=alone && shift ;;
    --within) where=within readers=$2 && shift 2 && break ;;
    '') die "usage: scripts/virtual-readers.sh [--no-namespace] [--readers N] COMMAND… (--help tells more)" ;;
    --*) die "$1 is no option: scripts/virtual-readers.sh --help" ;;
    *) break ;;
  esac
done
case "$readers" in *[!0-9]* | '') die "--readers takes 1 to 16" ;; esac
[ "$readers" -ge 1 ] && [ "$readers" -le 16 ] || die "--readers takes 1 to 16"

if [ "$where" != within ]; then
  ready || exit 1
  if [ -z "$where" ] && namespaces; then
    cd "$caller"
    if [ "$(id -u)" = 0 ]; then
      exec unshare -m -n "$project/scripts/virtual-readers.sh" --within "$readers" "$@"
    fi
    exec unshare -Urmn "$project/scripts/virtual-readers.sh" --within "$readers" "$@"
  fi
  alone || exit 1
  where=alone
fi

# From here on inside the namespace, or without one.
work=$(mktemp -d)
if [ "$where" = within ]; then
  ip link set lo up
  mkdir -p /run/pcscd 2>/dev/null || mount -t tmpfs tmpfs /run
  mkdir -p /run/pcscd
  mount -t tmpfs tmpfs /run/pcscd
  port=35963
  socket=/run/pcscd/pcscd.comm
else
  # Sixteen ports that nobody listens on, below those that the system gives out.
  free() { for ((p = $1; p < $1 + 16; p++)); do ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || return 1; done; }
  port=$((20000 + RANDOM % 700 * 16))
  until free "$port"; do port=$((20000 + RANDOM % 700 * 16)); done
  socket=$work/pcscd.comm
  export PCSCLITE_CSOCK_NAME=$socket
  echo "no namespace: the virtual readers' ports $port to $((port + readers - 1)) are open to the network meanwhile" >&2
fi

# One file: the service reads several in no particular order, and reader n would not be the n-th that it lists.
# Two readers share one copy of the driver, and copies under one name share one table of slots: so a copy for each pair.
mkdir "$work/readers.d"
driver=$(find_driver)
for ((pair = 0; pair * 2 < readers; pair++)); do
  cp "$driver" "$work/libvpcd$pair.so"
  cat >>"$work/readers.d/vpcd" <<CONFIG
FRIENDLYNAME "Virtual $pair"
DEVICENAME /dev/null:$((port + pair * 2))
LIBPATH $work/libvpcd$pair.so
CHANNELID $((port + pair * 2))
CONFIG
done

# pcscd has one name for its socket built in, but takes over a socket that systemd has opened for it: so does this.
cat >"$work/activated" <<'PERL'
use IO::Socket::UNIX;
use POSIX;
$^F = 9;    # the socket is handed on
my ($path, @service) = @ARGV;
my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 128) or die "$path: $!\n";
POSIX::dup2(fileno $socket, 3) if fileno $socket != 3;
@ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$);
exec @service or die "$service[0]: $!\n";
PERL
activated=
[ "$where" = within ] || activated="perl $work/activated $socket"

cat >"$work/start" <<START
#!/bin/sh
# What a service that was killed has left behind.
rm -f $socket $(dirname "$socket")/pcscd.pid
$activated pcscd --foreground --config $work/readers.d >>$work/pcscd.log 2>&1 &
echo \$! >$work/pcscd.pid
for _ in \$(seq 100); do [ -S $socket ] && exit 0; sleep 0.05; done
echo "pcscd has not come up:" >&2
tail -n 20 $work/pcscd.log >&2
exit 1
START
chmod +x "$work/start"

stop() {
  local command= service=
  # The command, where this is ended before it; the service is no child any more.
  read -r command 2>/dev/null <"/proc/$$/task/$$/children" || true
  [ -z "$command" ] || kill $command 2>/dev/null || true
  read -r service 2>/dev/null <"$work/pcscd.pid" || true
  # The number of one that has ended may be another program's by now.
  if [ -n "$service" ] && [ "$(cat "/proc/$service/comm" 2>/dev/null)" = pcscd ]; then kill "$service" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT
"$work/start"
cd "$caller"
PERSO_VPCD=127.0.0.1:$port PERSO_PCSCD=$work/pcscd.pid PERSO_PCSCD_START=$work/start "$@"
