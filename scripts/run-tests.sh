#!/usr/bin/env bash
# Runs the tests that are built, and says at the end which were not run and why, and which failed and where: among thousands of
# lines they are hard to find. Ends with the exit code of the tests.
#
#   scripts/run-tests.sh [ARGUMENTS OF swift test]
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The first lines, of at most 600 characters. Reads to the end: who stops early (head) ends the writer by SIGPIPE, and pipefail makes
# that this script's exit code instead of the tests' own.
first() { awk -v most="$1" 'NR <= most { print substr($0, 1, 600) }'; }

status=0
"${SWIFT:-swift}" test --skip-build "$@" 2>&1 | tee "$log" || status=$?
# What a machine lacks must not look like what passed.
skipped=$(sed -n -E \
    -e 's/^➜ +(Test|Suite) (.+) skipped: "(.*)"$/not run: \1 \2 (\3)/p' \
    -e 's/^➜ +(Test|Suite) (.+) skipped\.?$/not run: \1 \2 (no reason given)/p' "$log" | sort -u)
if [[ -n $skipped ]]; then
    echo
    echo "$skipped"
fi
if [[ $status -ne 0 ]]; then
    echo
    echo "run-tests: exit code $status. What failed:"
    # Issues with the lines that explain them; a crash names no test, so what had started and not ended is listed as well.
    grep -a -A 3 'recorded an issue' "$log" | grep -a -v '^◇\|^✔' | first 60 || true
    grep -a -i 'fatal error\|unexpected signal' "$log" | first 5 || true
    comm -23 \
        <(grep -a -o '^◇ Test ".*" started' "$log" | sed 's/^◇ //; s/ started$//' | sort -u) \
        <(grep -a -o '^[✔✘] Test ".*" \(passed\|failed\|with\)' "$log" | sed 's/^[✔✘] //; s/ \(passed\|failed\|with\)$//' | sort -u) \
        | sed 's/^/never ended: /' | first 20 || true
fi
exit "$status"
