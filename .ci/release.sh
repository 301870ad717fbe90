#!/usr/bin/env bash
# The steps of a release that do not depend on GitHub. `.github/workflows/release.yml` calls them.
#   check                    versions agree: Cargo.toml, python/Cargo.toml, CITATION.cff
#   tag TAG                  the tag is that version, and the changelog has a section for it
#   notes TAG                the section of the changelog
#   archive TARGET FROM TO   a smoke test of FROM/dropout-onnx, then its archive and checksum in TO
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version() {
  sed -n 's/^version = "\(.*\)"$/\1/p' "$1" | head -n 1
}

check() {
  local all
  all=$(version Cargo.toml; version python/Cargo.toml; sed -n 's/^version: //p' CITATION.cff)
  [[ $(sort -u <<<"$all" | wc -l) -eq 1 ]] || { echo "versions differ:"; echo "$all"; return 1; }
}

notes() {
  local version=${1#v}
  sed -n "/^## \[\?$version/,/^## /p" CHANGELOG.md | sed '1d;/^## /d' | sed '/./,$!d'
}

tag() {
  [[ ${1#v} == "$(version Cargo.toml)" ]] || { echo "$1 is not the version in Cargo.toml"; return 1; }
  [[ -n $(notes "$1") ]] || { echo "CHANGELOG.md has no section for $1"; return 1; }
}

archive() {
  local target=$1 from=$2 to=$3 extension=
  [[ $target != *windows* ]] || extension=.exe
  local program=$from/dropout-onnx$extension scratch
  scratch=$(mktemp -d)
  [[ $("$program" --version) == "dropout-onnx $(version Cargo.toml)" ]]
  "$program" strip fixtures/keras_course_random_mask_op13.onnx "$scratch/clean.onnx" --quiet
  "$program" audit "$scratch/clean.onnx" --quiet
  # the twin: the original is still active
  if "$program" audit fixtures/keras_course_random_mask_op13.onnx --quiet; then return 1; fi
  mkdir -p "$to"
  cp "$program" README.md LICENSE-MIT LICENSE-APACHE "$scratch/"
  local name=dropout-onnx-$target
  if [[ $target == *windows* ]]; then
    (cd "$scratch" && 7z a -bd "$name.zip" "dropout-onnx$extension" README.md LICENSE-MIT LICENSE-APACHE)
    mv "$scratch/$name.zip" "$to/"
    name=$name.zip
  else
    tar -C "$scratch" -czf "$to/$name.tgz" dropout-onnx README.md LICENSE-MIT LICENSE-APACHE
    name=$name.tgz
  fi
  (cd "$to" && { sha256sum "$name" 2>/dev/null || shasum -a 256 "$name"; } >"$name.sha256")
  rm -rf "$scratch"
  ls -l "$to/$name"
}

"$@"
