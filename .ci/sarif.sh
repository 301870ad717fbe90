#!/usr/bin/env bash
# SARIF of audits, checked by Microsoft's validator with its own rules and those of GitHub:
# .ci/sarif.sh COMMAND FOLDER. The validator comes from npm; where that cannot be had, the step is left out.
set -euo pipefail
binary=$1
folder=$2
package=@microsoft/sarif-multitool-linux
version=5.7.0
multitool=$folder/node_modules/$package/Sarif.Multitool
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

mkdir -p "$folder"
if [[ ! -e $multitool ]] && ! { command -v npm >/dev/null && timeout 300 npm install --prefix "$folder" \
  --ignore-scripts --no-audit --no-fund "$package@$version" >"$folder/npm.log" 2>&1; }; then
  echo "left out: $package is not here, and not to be installed"
  exit 0
fi
chmod u+x "$multitool"
if ! "$multitool" --version >"$folder/version.log" 2>&1 && ! grep -q Multitool "$folder/version.log"; then
  echo "left out: $package does not run here"
  exit 0
fi

# What the validator objects to in a file; it ends with 0 whatever it finds.
objections() {
  timeout 120 "$multitool" validate "$1" --rule-kind 'Sarif;Ghas' >"$1.log" 2>&1 || true
  if ! grep -q '^Analysis completed successfully' "$1.log"; then
    cat "$1.log"
    exit 1
  fi
  grep -E '(error|warning|note) (SARIF|GH|JSON)[0-9]+' "$1.log" || true
}

# audit NAME OPTION...: a document of an audit of all fixtures.
audit() {
  local name=$1
  shift
  "$binary" audit fixtures --format sarif "$@" >"$folder/$name.sarif" 2>"$folder/$name.err" || [[ $? -le 2 ]]
}

audit plain
"$binary" audit fixtures --write-baseline "$folder/baseline.json" >/dev/null 2>&1
audit baseline --baseline "$folder/baseline.json"
printf '[[allow]]\nlayer = "*"\nreason = "of the check"\n' >"$folder/dropout-onnx.toml"
audit allowed --config "$folder/dropout-onnx.toml"
for name in plain baseline allowed; do
  found=$(objections "$folder/$name.sarif")
  if [[ -n $found ]]; then
    head -20 <<<"$found"
    exit 1
  fi
done
# the twin: a document whose results are nowhere
sed 's/"locations"/"somewhere"/' "$folder/plain.sarif" >"$folder/broken.sarif"
if [[ -z $(objections "$folder/broken.sarif") ]]; then
  echo "the validator sees nothing"
  exit 1
fi
echo "3 documents"
