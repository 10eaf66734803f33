#!/usr/bin/env bash
# What `npm test` runs after nothing but `npm ci`. Goes on after a failed step, so that one run tells everything;
# ends with a table of where the time went and the line `N passed, N failed, N skipped`, where a failed step
# counts as one failed. Exit code 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
summary=$(mktemp)
trap 'rm -f "$summary"' EXIT

rows=()
skips=()
failedSteps=0
passed=0 failed=0 skipped=0

now() { date +%s%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", (to - from) / 1e9 }'; }

# step NAME COMMAND…: runs it, notes its time and whether it failed.
step() {
  local name=$1 from
  shift
  from=$(now)
  printf '\n== %s\n' "$name"
  if ! "$@" </dev/null; then
    printf 'failed: %s\n' "$name"
    failedSteps=$((failedSteps + 1))
  fi
  rows+=("$name"$'\t'"$(since "$from")")
}

# Programs that tests call, each with the Debian package that has it.
programs() {
  local wanted="bgpdump:bgpdump bzip2:bzip2 xz:xz-utils redis-server:redis-server java:openjdk-17-jre-headless mvn:maven" entry missing="" packages=""
  compgen -G "test/browser/*.test.ts" >/dev/null && wanted="$wanted chromium:chromium"
  for entry in $wanted; do
    command -v "${entry%%:*}" >/dev/null || packages="$packages ${entry#*:}"
  done
  if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$packages"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    timeout 120 apt-get update -qq >/dev/null &&
      timeout 240 apt-get install -y -qq --no-install-recommends $packages >/dev/null
  fi
  for entry in $wanted; do
    command -v "${entry%%:*}" >/dev/null || missing="$missing ${entry#*:}"
  done
  if [ -z "$missing" ]; then return 0; fi
  echo "skipped: needs$missing; install with: apt-get install$missing"
  # Where the result is what counts, a test that was skipped for want of a program is a failure.
  [ "${CI:-}" != true ]
}

tests() {
  if command -v chromium >/dev/null; then
    CHROMIUM_PATH="${CHROMIUM_PATH:-$(command -v chromium)}"
    export CHROMIUM_PATH
  fi
  TEST_SUMMARY=$summary vitest run --reporter=default --reporter=./test/summary-reporter.ts
}

begin=$(now)
step "programs" programs
step "types" tsc
step "build" npm run --silent build
step "lint" biome check --error-on-warnings --max-diagnostics=100 .
beforeTests=$failedSteps
step "tests" tests
# Failed tests are in the counts; the step is counted only when it failed in another way.
testsFailed=$((failedSteps - beforeTests))

printf '\n%-48s %8s\n' "step" "seconds"
for row in "${rows[@]}"; do printf '%-48s %8s\n' "${row%%$'\t'*}" "${row#*$'\t'}"; done
while IFS=$'\t' read -r kind first second third; do
  case $kind in
  counts) passed=$first failed=$second skipped=$third ;;
  time) printf '%-48s %8s\n' "  of it $first" "$second" ;;
  slow) printf '%-48s %8s\n' "  slow: $first" "$second" ;;
  skip) skips+=("$first") ;;
  esac
done <"$summary"
printf '%-48s %8s\n' "total" "$(since "$begin")"
for reason in ${skips[@]+"${skips[@]}"}; do printf 'skipped: %s\n' "$reason"; done

[ "$failed" -gt 0 ] && failedSteps=$((failedSteps - testsFailed))
failed=$((failed + failedSteps))
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
