#!/usr/bin/env bash
# Finds a program of the right version on PATH; else says where one is to be built.
# VERSION: the version to find; if empty, that of the action's own checkout.
set -euo pipefail

version=$VERSION
if [[ -z $version ]]; then
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$GITHUB_ACTION_PATH/Cargo.toml" | head -n 1)
fi
found=
if command -v dropout-onnx >/dev/null &&
  [[ $(dropout-onnx --version) == "dropout-onnx $version" ]]; then
  found=$(command -v dropout-onnx)
  echo "dropout-onnx $version is here: $found"
fi
# What is built from a checkout is kept as long as its source is the same.
source=$(cd "$GITHUB_ACTION_PATH" && find src Cargo.toml Cargo.lock -type f | LC_ALL=C sort |
  while IFS= read -r file; do cat "$file"; done | git hash-object --stdin)
{
  echo "program=$found"
  echo "root=$RUNNER_TEMP/dropout-onnx"
  echo "key=dropout-onnx-$RUNNER_OS-$RUNNER_ARCH-$version-${VERSION:+released-}$source"
} >>"$GITHUB_OUTPUT"
