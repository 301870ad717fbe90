#!/usr/bin/env bash
# Audits, and tells GitHub in every way that is asked for. Auditing reads graphs and no weights: each
# way is an audit of its own.
# PROGRAM, and the inputs of action.yml: PATHS FOLDER DENY ALLOW SELECT ARGS ANNOTATIONS SUMMARY
# SARIF_FILE FAIL. In the root of the repository, which annotations and SARIF count paths from.
# For bash 3.2, which macOS has: there "${empty[@]}" is an error under `set -u`.
set -euo pipefail
cd "$GITHUB_WORKSPACE"

# refuse MESSAGE: an annotation without a place; the step fails.
refuse() {
  local message=${1//'%'/%25}
  message=${message//$'\r'/%0D}
  echo "::error title=dropout-onnx::${message//$'\n'/%0A}"
  exit 2
}

# is NAME VALUE: true or false, and nothing else.
is() {
  case $2 in
    true) return 0 ;;
    false) return 1 ;;
    *) refuse "the input $1 is \`$2\`, and may be true or false" ;;
  esac
}

# below FOLDER PATH: a path from the root of the repository, which is no option.
below() {
  local path=$2
  if [[ $1 != . && $path != /* ]]; then
    path=$1/$path
  fi
  [[ $path != -* ]] || path=./$path
  printf '%s\n' "$path"
}

is annotations "$ANNOTATIONS" && annotations=yes || annotations=
is summary "$SUMMARY" && summary=yes || summary=
is fail "$FAIL" && fail=yes || fail=
[[ $SARIF_FILE != *$'\n'* ]] || refuse "the input sarif-file is one path, not several"

options=()
for option in deny allow select; do
  case $option in
    deny) rules=$DENY ;;
    allow) rules=$ALLOW ;;
    select) rules=$SELECT ;;
  esac
  [[ -z $rules ]] || options+=("--$option=$rules")
done
while IFS= read -r line; do
  [[ -z $line ]] || options+=("$line")
done <<<"$ARGS"
paths=()
while IFS= read -r line; do
  [[ -z $line ]] || paths+=("$(below "$FOLDER" "$line")")
done <<<"$PATHS"
[[ ${#paths[@]} -gt 0 ]] || refuse "the input paths names no model and no folder"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# audit FORMAT [OPTION...]
audit() {
  "$PROGRAM" audit --color never --format "$@" ${options[@]+"${options[@]}"} -- "${paths[@]}"
}

status=0
audit github >"$scratch/commands" 2>"$scratch/errors" || status=$?
cat "$scratch/errors" >&2
if [[ $status -ge 2 && ! -s $scratch/commands ]]; then
  refuse "$(cat "$scratch/errors")"
fi
if [[ -n $annotations ]]; then
  cat "$scratch/commands"
else
  # Nothing that a model or a file is called is to be a command of the workflow.
  token=$(git hash-object --stdin <<<"$RANDOM $RANDOM $RANDOM $$")
  echo "::stop-commands::$token"
  audit text 2>/dev/null || true
  echo "::$token::"
fi

sarif=
if [[ -n $SARIF_FILE ]]; then
  sarif=$(below "$FOLDER" "$SARIF_FILE")
  rm -f -- "$sarif"
  audit sarif --output "$sarif" 2>/dev/null || [[ -s $sarif ]] ||
    refuse "cannot write the input sarif-file $sarif"
fi

if [[ -n $summary && -n ${GITHUB_STEP_SUMMARY:-} ]]; then
  audit markdown >"$scratch/summary" 2>/dev/null || true
  # GitHub takes 1 MiB a step.
  if [[ $(wc -c <"$scratch/summary") -gt 1000000 ]]; then
    head -n 1 "$scratch/summary" >"$scratch/short"
    printf '\nToo many models for a summary: see the log.\n' >>"$scratch/short"
    mv "$scratch/short" "$scratch/summary"
  fi
  cat "$scratch/summary" >>"$GITHUB_STEP_SUMMARY"
fi

# matches FILE PATTERN: how many lines.
matches() {
  grep -c -- "$2" "$1" || true
}
# The first line of the Markdown report, which names no model: `3 models: 1 active, …; 2 errors, 1 note`.
totals=$(audit markdown 2>/dev/null | head -n 1) || true
# total WORD: the number before the word, in singular or plural.
total() {
  local number
  number=$(grep -oE "[0-9]+ $1s?(,|\$)" <<<"${totals#*;}" | grep -oE '^[0-9]+') || true
  echo "${number:-0}"
}
# In a string of JSON a quote is escaped: what is matched here is a key and its value.
audit jsonl >"$scratch/models" 2>/dev/null || true
verdict=
for word in '"clean"' '"inert"' '"frozen"' '"runtime"' '"training"' '"random"' '"unknown"' null '"active"'; do
  [[ $(matches "$scratch/models" "\"verdict\":$word") -eq 0 ]] || verdict=$word
done
verdict=${verdict//\"/}
verdict=${verdict/null/}
{
  echo "status=$status"
  echo "verdict=$verdict"
  echo "errors=$(total error)"
  echo "warnings=$(total warning)"
  echo "notes=$(total note)"
  echo "sarif-file=$sarif"
} >>"$GITHUB_OUTPUT"

if [[ $status -eq 1 && -z $fail ]]; then
  status=0
fi
exit "$status"
