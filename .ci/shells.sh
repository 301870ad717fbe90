#!/usr/bin/env bash
# Completions in the shells they are for, and manual pages as man and mandoc read them.
#     .ci/shells.sh PROGRAM
# What is not on this machine is left out, and said to be.
set -euo pipefail
program=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
  echo "failed: $*" >&2
  exit 1
}

# fails COMMAND...: a check's twin, which has to fail.
fails() {
  if ("$@") >/dev/null 2>&1; then fail "$* did not fail"; fi
}

"$program" completions bash >bash.sh
cat >ask.sh <<'END'
# ask.sh SCRIPT WORD...: what bash offers for the last word.
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
$(complete -p dropout-onnx | sed 's/.*-F \([^ ]*\).*/\1/') "$1" "${*: -1}" "${*: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
END

in_bash() {
  bash --norc --noprofile ask.sh bash.sh dropout-onnx "$@"
}

in_fish() {
  fish --no-config --command "source fish.fish; complete --do-complete 'dropout-onnx $*'" |
    cut -f 1
}

# offers SHELL "WORDS EXPECTED..." : the last of the words is being typed
offers() {
  local ask=$1 line=$2 offered expected
  shift 2
  local -a words=()
  IFS=' ' read -r -a words <<<"$line"
  [[ $line != *' ' ]] || words+=("")
  case $ask in
    bash) offered=$(in_bash "${words[@]}") ;;
    fish) offered=$(in_fish "$line") ;;
  esac
  for expected in "$@"; do
    grep -qxF -- "$expected" <<<"$offered" || fail "$ask, $line: no $expected in $offered"
  done
}

all_offer() {
  offers "$1" "st" strip
  offers "$1" "audit --format s" sarif
  offers "$1" "audit --deny l" lost-rate leftover-dropout
  offers "$1" "audit --explain al" all
  offers "$1" "strip --kind g" gaussian_dropout gaussian_noise
  offers "$1" "strip --verify " all structure run none
  offers "$1" "insert --preset a" attention
  offers "$1" "set --mode a" active
  offers "$1" "show --format " text json dot svg
}

for shell in bash zsh fish; do
  if ! command -v "$shell" >/dev/null; then
    echo "left out: $shell, which is not here"
    continue
  fi
  "$program" completions "$shell" >"$shell.$shell"
  "$shell" -n "$shell.$shell"
  { cat "$shell.$shell"; echo 'if ('; } >"broken.$shell"
  fails "$shell" -n "broken.$shell"
  echo "$shell: reads its completions"
done
all_offer bash
# of fish's positional arguments clap_complete knows no values
offers bash "completions z" zsh
fails offers bash "audit --format s" sarong
echo "bash: completes"
if command -v fish >/dev/null; then
  all_offer fish
  fails offers fish "audit --format s" sarong
  echo "fish: completes"
fi

"$program" man --quiet --output pages
if command -v mandoc >/dev/null; then
  # Below errors it has something to say of how clap_mangen sets blank lines.
  mandoc -T lint -W error pages/*.1
  { cat pages/dropout-onnx.1; echo '.XY'; } >broken.1
  fails mandoc -T lint -W error broken.1
  echo "mandoc: $(find pages -name '*.1' | wc -l) pages without errors"
else
  echo "left out: mandoc, which is not here"
fi
if command -v man >/dev/null; then
  for page in pages/*.1; do
    MANWIDTH=90 man --warnings -l "$page" >page.txt 2>warnings.txt
    [[ ! -s warnings.txt ]] || fail "$page:" "$(cat warnings.txt)"
    for section in NAME SYNOPSIS OPTIONS EXAMPLES "EXIT STATUS" "SEE ALSO"; do
      grep -qx "$section" page.txt || fail "$page has no $section"
    done
  done
  { cat pages/dropout-onnx.1; echo '.XY'; } >broken.1
  man --warnings -l broken.1 2>&1 >/dev/null | grep -q XY || fail "man did not warn"
  echo "man: every page has its sections, without warnings"
else
  echo "left out: man, which is not here"
fi
