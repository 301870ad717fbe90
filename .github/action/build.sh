#!/usr/bin/env bash
# Downloads the released program, or builds it, if the cache had none.
# ROOT: where it is put; VERSION: a released version; if empty, the action's own checkout, which is a release if
# REF, that the action is used at, is its tag. RELEASES: where releases are, for tests.
set -euo pipefail

version=$VERSION
[[ -n $version || $REF != v* ]] || version=${REF#v}
repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' "$GITHUB_ACTION_PATH/Cargo.toml")
releases=${RELEASES:-$repository/releases/download}

# archive: the name of the release's file for this machine.
archive() {
  local machine end=tgz
  case $RUNNER_OS in
    Linux) machine=unknown-linux-gnu ;;
    macOS) machine=apple-darwin ;;
    Windows) machine=pc-windows-msvc end=zip ;;
    *) return 1 ;;
  esac
  case $RUNNER_ARCH in
    X64) echo "dropout-onnx-x86_64-$machine.$end" ;;
    ARM64) echo "dropout-onnx-aarch64-$machine.$end" ;;
    *) return 1 ;;
  esac
}

# download NAME: the program in ROOT; false if there is no such file. A wrong checksum is an error.
download() {
  local scratch=$RUNNER_TEMP/dropout-onnx-release file
  mkdir -p "$scratch" "$ROOT/bin"
  for file in "$1" "$1.sha256"; do
    curl --fail --silent --show-error --location --retry 2 --output "$scratch/$file" \
      "$releases/v$version/$file" || return 1
  done
  if ! (cd "$scratch" && { sha256sum --check "$1.sha256" || shasum -a 256 --check "$1.sha256"; } >/dev/null 2>&1); then
    echo "::error title=dropout-onnx::the checksum of $1 is wrong"
    exit 2
  fi
  case $1 in
    *.zip) unzip -q -o "$scratch/$1" -d "$ROOT/bin" ;;
    *) tar -C "$ROOT/bin" -xzf "$scratch/$1" ;;
  esac
  rm -rf "$scratch"
}

program=$ROOT/bin/dropout-onnx
if [[ ! -x $program && ! -x $program.exe ]]; then
  if [[ -n $version ]] && name=$(archive) && download "$name"; then
    echo "dropout-onnx $version: downloaded"
  else
    if ! command -v cargo >/dev/null; then
      echo "::error title=dropout-onnx::building it needs cargo, and it is not on PATH"
      exit 2
    fi
    export CARGO_TARGET_DIR=$RUNNER_TEMP/dropout-onnx-target
    if [[ -n $VERSION ]]; then
      cargo install --locked --root "$ROOT" --version "=$VERSION" dropout-onnx
    else
      cargo install --locked --root "$ROOT" --path "$GITHUB_ACTION_PATH"
    fi
    rm -rf "$CARGO_TARGET_DIR"
  fi
fi
echo "program=$program" >>"$GITHUB_OUTPUT"
