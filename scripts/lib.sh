# Shared by the scripts beside it: finds the project, and installs what is missing with the ordinary package clients.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
project=$PWD

say() { printf '\n== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Installs Debian packages. Fails, and says why on standard error, where that is not possible.
apt_install() {
  local run=()
  if ! have apt-get; then
    echo "this is not a Debian system; install by hand what stands for: $*" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! have sudo; then
      echo "not root and no sudo: cannot install $*" >&2
      return 1
    fi
    run=(sudo)
    # Without a terminal nobody can type a password.
    [ -t 0 ] || run=(sudo -n)
  fi
  say "installing $*"
  "${run[@]}" apt-get update -qq || return 1
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A cargo that runs, of the edition that Cargo.toml asks for.
need_rust() {
  [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] && PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  if ! cargo --version >/dev/null 2>&1 && have rustup; then
    say "installing a Rust toolchain"
    # Without --no-self-update a rustup that was installed elsewhere (CARGO_HOME) ends with a stack trace.
    rustup toolchain install stable --profile minimal --no-self-update && rustup default stable
  fi
  cargo --version >/dev/null 2>&1 || die "cargo does not run: install Rust (https://rustup.rs), then start this again"
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  found=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    die "Rust $found is too old: $wanted or newer is needed (rustup update)"
  fi
}

# The toolchain whose lints are denied; a newer one has new lints, which are printed and do not fail.
lint_toolchain() { cat scripts/lint-toolchain; }

# Whether lints of `rustc` (its version as the argument) are denied: `1.95.0` is denied if `1.95` is named.
lints_are_denied() {
  local found=$1 named
  named=$(lint_toolchain)
  [ "${found%.*}" = "$named" ]
}

# A linker, OpenSSL's library for RSA, and the PC/SC library where it can be had. Leaves the cargo options in `features`.
need_libraries() {
  local missing=()
  have cc || missing+=(gcc libc6-dev)
  have pkg-config || missing+=(pkg-config)
  { have pkg-config && pkg-config --exists libpcsclite; } || missing+=(libpcsclite-dev)
  { have pkg-config && pkg-config --exists openssl; } || missing+=(libssl-dev)
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || true
  have cc || die "there is no C compiler to link with: install gcc, then start this again"
  { have pkg-config && pkg-config --exists openssl; } || die "there is no OpenSSL to link with: install libssl-dev, then start this again"
  features=()
  if ! { have pkg-config && pkg-config --exists libpcsclite; }; then
    features=(--no-default-features)
  fi
}

# Whether a released program names the commit of this checkout, or of the archive that this folder comes from.
version_names_commit() {
  local commit said
  said=$("$1" --version)
  commit=$(grep -E '^[0-9a-f]{7,64}$' COMMIT) || commit=
  [ -n "$commit" ] || [ ! -e .git ] || commit=$(git rev-parse HEAD 2>/dev/null) || commit=
  # Without git and without a filled COMMIT no commit can be named.
  [ -n "$commit" ] || { echo "$said: no commit is known here" && return 0; }
  case "$said" in
    *" (commit ${commit:0:12})") echo "$said" ;;
    *) die "$1 says $said, and this is commit $commit" ;;
  esac
}

# cargo's own tools: `need_component clippy cargo-clippy`.
need_component() {
  cargo "${2#cargo-}" --version >/dev/null 2>&1 && return 0
  have rustup && rustup component add "$1" >/dev/null 2>&1 && cargo "${2#cargo-}" --version >/dev/null 2>&1
}

# What a passed run of scripts/foreign.sh comes to, by the summary that it left: a state and a note, with | between them.
# Where nothing could be tried it was skipped, not passed.
strangers_outcome() {
  local tried count why
  tried=$(sed -n 's/^tried //p' "$1" 2>/dev/null) || true
  count=$(sed -n 's/^skipped \([0-9]*\) .*/\1/p' "$1" 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }') || true
  why=$(sed -n 's/^skipped [^ ]* //p' "$1" 2>/dev/null | paste -sd';' | sed 's/;/; /g') || true
  if [ "${tried:-0}" = 0 ]; then
    echo "skipped|${why:-it has left no summary}"
  elif [ -n "$why" ]; then
    echo "passed|$tried passed, $count skipped: $why"
  else
    echo "passed|$tried passed"
  fi
}
