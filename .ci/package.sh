#!/usr/bin/env bash
# The package holds the source, its documents and nothing else, is small, and builds by itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
most=2000000

# holds_what_it_should LIST: what git knows of these, and the four files that cargo writes.
holds_what_it_should() {
  diff "$1" <({
    git ls-files src docs README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT
    printf '%s\n' .cargo_vcs_info.json Cargo.lock Cargo.toml Cargo.toml.orig
  } | LC_ALL=C sort)
}

# is_below BYTES FILE
is_below() {
  [[ $(wc -c <"$2") -lt $1 ]]
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo package --list --allow-dirty 2>"$scratch/warnings" | LC_ALL=C sort >"$scratch/list" ||
  { cat "$scratch/warnings"; exit 1; }
holds_what_it_should "$scratch/list"
{ cat "$scratch/list"; echo tests/it/main.rs; } >"$scratch/more"
sed '/^docs\/rules.md$/d' "$scratch/list" >"$scratch/less"
for twin in more less; do
  if holds_what_it_should "$scratch/$twin" >/dev/null; then
    echo "a package that holds $twin is not seen"
    exit 1
  fi
done

# Builds what it unpacks, with the dependencies that are built already.
rm -f "$target"/package/*.crate
cargo package --allow-dirty 2>&1 | grep -v '^warning: ignoring '
package=("$target"/package/*.crate)
is_below "$most" "${package[0]}" || { echo "${package[0]} has $most bytes or more"; exit 1; }
if is_below 1000 "${package[0]}"; then
  echo "a package that is too large is not seen"
  exit 1
fi
echo "$(wc -l <"$scratch/list") files, $(wc -c <"${package[0]}") bytes packed"
