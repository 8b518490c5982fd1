#!/usr/bin/env bash
# Installs what the tests need, builds, runs everything, and ends with one line: N passed, N failed, N skipped.
# tests/run.sh [--quick] [--only GROUP[,GROUP...]]; the groups are described in tests/README.md.
set -uo pipefail
cd "$(dirname "$0")/.."

groups=(unit e2e conformance faults sanitized fuzz format)
quick_groups=(unit e2e conformance)
fuzz_seconds=60
jobs=2
workers=3  # of pytest: they wait more than they work
logs=build/test-logs

usage() {
  echo "usage: tests/run.sh [--quick] [--only GROUP[,GROUP...]]; groups: ${groups[*]}" >&2
  exit 64
}
while [ $# -gt 0 ]; do
  case $1 in
    --quick) groups=("${quick_groups[@]}") ;;
    --only)
      [ $# -gt 1 ] || usage
      IFS=, read -ra wanted <<<"$2"
      for group in "${wanted[@]}"; do [[ " ${groups[*]} " == *" $group "* ]] || usage; done
      groups=("${wanted[@]}")
      shift
      ;;
    *) usage ;;
  esac
  shift
done

passed=0 failed=0 skipped=0

# step NAME COMMAND...: runs it with its output in a file; says how long it took; shows the end of the file if it failed.
step() {
  local name=$1 begin=$SECONDS outcome=0
  shift
  "$@" >"$logs/$name.log" 2>&1 || outcome=$?
  printf '%-28s %4d s  %s\n' "$name" $((SECONDS - begin)) "$([ $outcome = 0 ] && echo ok || echo "FAILED, see $logs/$name.log")"
  if [ $outcome != 0 ]; then tail -n 60 "$logs/$name.log"; fi
  return $outcome
}

# check NAME COMMAND...: a step that is one test.
check() {
  if step "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# tally FILE: adds the figures of a JUnit report and names what failed; a report that is not there is a failure.
tally() {
  local figures
  if ! figures=$(python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
suites = [s for s in tree.parse(sys.argv[1]).getroot().iter("testsuite") if not s.findall("testsuite")]
count = lambda key: sum(int(s.get(key) or 0) for s in suites)
bad, skipped = count("failures") + count("errors"), count("skipped") + count("disabled")
for case in (c for s in suites for c in s.iter("testcase")):
    for outcome in case.findall("failure") + case.findall("error"):
        said = (outcome.get("message") or outcome.text or "").splitlines()
        print(f"FAILED {case.get('classname')}.{case.get('name')}: {' '.join(said)[:400]}", file=sys.stderr)
print(count("tests") - bad - skipped, bad, skipped)
PY
  ); then
    failed=$((failed + 1))
    return
  fi
  read -r p f s <<<"$figures"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# reported NAME REPORT COMMAND...: a step whose tests are counted by the report that it writes.
reported() {
  local name=$1 report=$2 before=$failed
  shift 2
  rm -f "$report"
  local outcome=0
  step "$name" "$@" || outcome=1
  tally "$report"
  if [ $outcome != 0 ] && [ $failed = "$before" ]; then failed=$((failed + 1)); fi
}

build() { cmake --preset "$1" && cmake --build --preset "$1" -j"$jobs"; }

# Go programs, each at the version that the tests were written for.
go_tools=(
  crane=github.com/google/go-containerregistry/cmd/crane@v0.22.1
  oras=oras.land/oras/cmd/oras@v1.3.6
  conformance=github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
)
install_go_tools() {
  local tool outcome=0
  for tool in "${go_tools[@]}"; do
    [ -x "build/tools/${tool%%=*}" ] || GOBIN=$PWD/build/tools go install "${tool#*=}" || outcome=1
  done
  return $outcome
}
# Debian 12 has Go 1.19, which can neither build these nor fetch a newer one of itself.
go_is_new_enough() { command -v go >/dev/null && go version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])'; }

# Files run beside one another: most tests wait. The tests of a file share servers, so they stay together.
run_pytest() {
  # Without CI: pytest prints whole blobs as differences where that is set.
  reported "$1" "$logs/$1.xml" env -u CI /usr/bin/python3 -m pytest "tests/$1" -q -p no:cacheprovider -n "$workers" --dist loadfile \
    --durations=10 --junitxml="$logs/$1.xml"
}

fuzz_one() {
  local target=$1 corpus
  corpus=$(mktemp -d)
  "build/fuzz/bin/$target" -max_total_time=$fuzz_seconds -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$logs/$target-" "$corpus" "tests/fuzz/corpus/$target"
  local outcome=$?
  rm -rf "$corpus"
  return $outcome
}
run_fuzz() {
  local targets=() target running=() outcomes
  for source in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$source" .cpp)"); done
  outcomes=$(mktemp -d)
  for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    { if step "$target" fuzz_one "$target"; then : >"$outcomes/$target"; fi; } &
  done
  wait
  for target in "${targets[@]}"; do
    if [ -e "$outcomes/$target" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  rm -rf "$outcomes"
}

check_format() { git ls-files '*.cpp' '*.h' | xargs clang-format-19 --dry-run -Werror; }

mkdir -p "$logs" build/tools
check install bash deploy/install-deps.sh --tests
if go_is_new_enough; then
  check go-tools install_go_tools
else
  export WHERRY_TESTS_WITHOUT="crane oras conformance"
  echo "Go is older than 1.21: tests of$(printf ' %s' $WHERRY_TESTS_WITHOUT) are skipped"
fi
check build-release build release
for group in "${groups[@]}"; do
  case $group in
    unit) reported unit "$logs/unit.xml" build/release/bin/wherry-unit-tests --gtest_brief=1 --gtest_output="xml:$logs/unit.xml" ;;
    e2e | conformance | faults) run_pytest "$group" ;;
    sanitized) # clang 19, address and undefined behaviour
      check build-sanitized build fuzz
      reported unit-sanitized "$logs/unit-sanitized.xml" build/fuzz/bin/wherry-unit-tests --gtest_brief=1 \
        --gtest_output="xml:$logs/unit-sanitized.xml"
      ;;
    fuzz)
      check build-fuzz build fuzz
      run_fuzz
      ;;
    format) check format check_format ;;
  esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
