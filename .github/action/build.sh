#!/usr/bin/env bash
# Builds the program, if the cache had none.
# ROOT: where it is put; VERSION: from crates.io; if empty, from the action's own checkout.
set -euo pipefail

program=$ROOT/bin/dropout-onnx
if [[ ! -x $program && ! -x $program.exe ]]; then
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
echo "program=$program" >>"$GITHUB_OUTPUT"
