#!/bin/sh
# Installs Wassette for the user who runs this, and needs no rights of others:
#
#   sh install.sh                 the newest release, or --version X.Y.Z
#   sh install.sh --uninstall     removes what it installed; components and policies stay
#
# It downloads an archive and its checksum, refuses any other bytes, and unpacks it to
# ~/.local/share/wassette-app with links in ~/.local/bin. If cosign is there, the signature of the
# checksums is verified too (--require-signature: it has to be). WASSETTE_RELEASES names another
# place for releases: a directory of a web server that has what a release has.
set -eu

repository=@REPOSITORY@
releases=${WASSETTE_RELEASES:-$repository/releases}
version=
uninstall=
signature=if-possible
prefix=${WASSETTE_PREFIX:-$HOME/.local}

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

usage() {
  say "usage: sh install.sh [--version X.Y.Z] [--require-signature] [--prefix DIRECTORY] [--uninstall]"
}

while [ $# -gt 0 ]; do
  case $1 in
    --version) [ $# -ge 2 ] || die "--version needs a version"; version=$2; shift ;;
    --prefix) [ $# -ge 2 ] || die "--prefix needs a directory"; prefix=$2; shift ;;
    --require-signature) signature=required ;;
    --uninstall) uninstall=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown option: $1" ;;
  esac
  shift
done

case $prefix in
  /*) ;;
  *) die "the prefix has to be an absolute path, not $prefix" ;;
esac
app=$prefix/share/wassette-app
links="wassette wassette-desktop"

# Removes a link of ours, and nothing else that happens to have its name.
unlink_ours() {
  [ -L "$prefix/bin/$1" ] || return 0
  case $(readlink "$prefix/bin/$1") in
    "$app"/*) rm -f "$prefix/bin/$1" ;;
  esac
}

share_files() {
  cat <<END
share/applications/@ID@.desktop wassette.desktop
share/metainfo/@ID@.metainfo.xml wassette.metainfo.xml
share/icons/hicolor/scalable/apps/@ID@.svg wassette.svg
share/mime/packages/wassette.xml wassette-mime.xml
share/systemd/user/wassette.service wassette.service
share/man/man1/wassette.1 wassette.1
share/bash-completion/completions/wassette wassette.bash
share/zsh/site-functions/_wassette wassette.zsh
share/fish/vendor_completions.d/wassette.fish wassette.fish
END
}

remove() {
  if [ -x "$app/wassette" ]; then
    "$app/wassette" host stop --all >/dev/null 2>&1 || true
  fi
  for name in $links; do unlink_ours "$name"; done
  if [ -f "$app/.installed" ]; then
    while IFS= read -r file; do
      case $file in
        share/*) rm -f "$prefix/$file" ;;
      esac
    done <"$app/.installed"
  fi
  rm -rf "$app" "$app.new" "$app.old"
}

if [ -n "$uninstall" ]; then
  [ -d "$app" ] || die "nothing is installed in $app"
  remove
  say "Wassette is removed. Your components, policies and settings are where they were."
  exit 0
fi

for name in $links; do
  if [ -e "$prefix/bin/$name" ] && [ ! -L "$prefix/bin/$name" ]; then
    die "$prefix/bin/$name is there already and is not ours: remove it and run this again"
  fi
done

case $(uname -s) in
  Linux) system=linux ;;
  Darwin) system=macos ;;
  *) die "there is no package for $(uname -s) here; see $repository" ;;
esac
case $(uname -m) in
  x86_64 | amd64) machine=x86_64 ;;
  aarch64 | arm64) machine=aarch64 ;;
  *) die "there is no package for $(uname -m)" ;;
esac

if command -v curl >/dev/null; then
  secure=
  case $releases in https://*) secure="--proto =https --tlsv1.2" ;; esac
  # shellcheck disable=SC2086  # two options, or none
  fetch() { curl $secure --fail --silent --show-error --location --retry 2 --output "$2" "$1"; }
elif command -v wget >/dev/null; then
  fetch() { wget --quiet --output-document="$2" "$1"; }
else
  die "curl or wget is needed"
fi
if command -v sha256sum >/dev/null; then
  digest() { sha256sum "$1" | cut -d ' ' -f 1; }
elif command -v shasum >/dev/null; then
  digest() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
else
  die "sha256sum or shasum is needed, to see that what arrives is what was released"
fi

case $releases in
  https://* | http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
  *) die "releases are downloaded over https, not from $releases" ;;
esac

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

if [ -z "$version" ]; then
  fetch "$releases/latest/download/VERSION" "$temporary/VERSION" || die "the newest version is not known: $releases did not say. Choose one with --version"
  version=$(head -n 1 "$temporary/VERSION")
fi
case $version in
  '' | *[!0-9A-Za-z.+-]*) die "that is not a version: $version" ;;
esac
archive=wassette-$version-$system-$machine.tar.gz
from=$releases/download/v$version

say "Downloading Wassette $version"
fetch "$from/SHA256SUMS" "$temporary/SHA256SUMS" || die "there is no release $version at $from"
if command -v cosign >/dev/null && fetch "$from/SHA256SUMS.sigstore.json" "$temporary/signature"; then
  cosign verify-blob --bundle "$temporary/signature" \
    --certificate-identity-regexp "^$repository/.github/workflows/release.yml@refs/tags/v" \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    "$temporary/SHA256SUMS" >/dev/null 2>&1 || die "the signature of the checksums is not ours: nothing was installed"
  say "The signature is ours"
elif [ "$signature" = required ]; then
  die "the signature cannot be verified: that needs cosign, and a release that is signed. Nothing was installed"
fi
wanted=$(awk -v name="$archive" '$2 == name { print $1 }' "$temporary/SHA256SUMS")
[ -n "$wanted" ] || die "release $version has no $archive"
fetch "$from/$archive" "$temporary/$archive" || die "$archive could not be downloaded"
actual=$(digest "$temporary/$archive")
[ "$actual" = "$wanted" ] || die "$archive is not what was released: its sha256 is $actual, not $wanted. Nothing was installed"

mkdir -p "$prefix/share" "$prefix/bin"
rm -rf "$app.new"
mkdir "$app.new"
tar -xzf "$temporary/$archive" -C "$app.new" --strip-components 1 || die "$archive cannot be unpacked"
"$app.new/wassette" --version >/dev/null || die "this system cannot run it. Nothing was installed"

share_files | while read -r place name; do
  [ -f "$app.new/share/$name" ] || continue
  mkdir -p "$prefix/$(dirname "$place")"
  cp "$app.new/share/$name" "$prefix/$place"
  say "$place" >>"$app.new/.installed"
done
service=$prefix/share/systemd/user/wassette.service
if [ -f "$service" ]; then
  sed "s|/usr/bin/wassette|$app/wassette|" "$service" >"$service.new" && mv "$service.new" "$service"
fi

# The old one is moved away and the new one moved in: no moment has half of one.
rm -rf "$app.old"
[ ! -d "$app" ] || mv "$app" "$app.old"
mv "$app.new" "$app"
rm -rf "$app.old"
for name in $links; do
  ln -sfn "$app/$name" "$prefix/bin/$name"
done

say "Installed in $app"
case :$PATH: in
  *":$prefix/bin:"*) say "Try: wassette component load starter:toolbox" ;;
  *) say "$prefix/bin is not on your PATH: add it, or run $prefix/bin/wassette" ;;
esac
