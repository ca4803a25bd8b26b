#!/usr/bin/env bash
# Runs the tests that are built, and says at the end which failed and where: among thousands of lines they are hard to find.
#
#   scripts/run-tests.sh [ARGUMENTS OF swift test]
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"${SWIFT:-swift}" test --skip-build "$@" 2>&1 | tee "$log" || status=$?
if [[ $status -ne 0 ]]; then
    echo
    echo "run-tests: exit code $status. What failed:"
    # Issues with the lines that explain them; a crash names no test, so what had started and not ended is listed as well.
    grep -a -A 3 'recorded an issue' "$log" | grep -a -v '^◇\|^✔' | cut -c1-600 | head -n 60 || true
    grep -a -i 'fatal error\|unexpected signal' "$log" | head -n 5 || true
    comm -23 \
        <(grep -a -o '^◇ Test ".*" started' "$log" | sed 's/^◇ //; s/ started$//' | sort -u) \
        <(grep -a -o '^[✔✘] Test ".*" \(passed\|failed\|with\)' "$log" | sed 's/^[✔✘] //; s/ \(passed\|failed\|with\)$//' | sort -u) \
        | sed 's/^/never ended: /' | head -n 20
fi
exit "$status"
