#!/usr/bin/env bash
# Keeps data out of languages: no SQL is put together from values, no format string comes from anywhere but the source.
#
#   scripts/check-text.sh              check Sources
#   scripts/check-text.sh --self-test  plant violations in a copy and expect each to be found
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# What may stand in \(…) in a line of SQL: names of tables and columns, and numbers, that the source itself has. Values are bound.
allowed='
table
columns
RecordReader.columns
present
countedAs
isCounted ? "(dkim = 0 AND spf = 0)" : "2"
applicationID
Migrations.all.count
MessageOutcome.deferred.rawValue
migrations.count
path == ":memory:" ? "MEMORY" : "FILE"
usual
column
function
Witnesses.kept("messages")
Witnesses.condition
NewRecords.columns
Self.identitySQL
Self.daysSQL
condition
'

# Prints "file:line: message" for every finding below the folder.
findings() {
    (cd "$1" && find Sources -name '*.swift' -print | LC_ALL=C sort | xargs -r -d '\n' awk -v allowed="$allowed" '
    BEGIN {
        count = split(allowed, lines, "\n")
        for (i = 1; i <= count; i++) if (lines[i] != "") known[lines[i]] = 1
        verbs = "(^|[^A-Za-z_])(SELECT|INSERT( OR [A-Z]+)? INTO|UPDATE|DELETE FROM|FROM|WHERE|VALUES|JOIN|PRAGMA|ATTACH|ORDER BY|GROUP BY|LIMIT|AND|SET|VACUUM)[ \\\\(]"
    }
    {
        line = $0
        if (line ~ /^[ \t]*\/\//) next
        if (line ~ /(String\(format:|NSLog\(|[^A-Za-z_](v?f?printf|v?s?n?printf|syslog|v?asprintf)\()/) {
            print FILENAME ":" FNR ": a format string; put texts together with interpolation"
        }
        if (FILENAME !~ /Sources\/(Store|Refresh|Questions|Doctor)\// && line !~ /sql:/) next
        if (line !~ verbs) next
        rest = line
        # Each interpolation, with balanced brackets.
        while ((start = index(rest, "\\(")) > 0) {
            depth = 1
            end = start + 2
            while (end <= length(rest) && depth > 0) {
                character = substr(rest, end, 1)
                if (character == "(") depth++
                if (character == ")") depth--
                end++
            }
            what = substr(rest, start + 2, end - start - 3)
            if (!(what in known)) print FILENAME ":" FNR ": SQL with \\(" what "): bind the value, or allow the name in scripts/check-text.sh"
            rest = substr(rest, end)
        }
    }')
}

check() {
    local found
    found=$(findings "$1")
    if [[ -n $found ]]; then
        echo "$found"
        return 1
    fi
}

self_test() {
    local failures=0
    copy=$(mktemp -d)
    trap 'rm -rf "${copy:?}"' EXIT
    expect() { # found or clean, file, text
        rm -rf "${copy:?}"/*
        mkdir -p "$copy/$(dirname "$2")"
        printf '%s\n' "$3" >"$copy/$2"
        local result=clean
        check "$copy" >/dev/null || result=found
        if [[ $result != "$1" ]]; then
            echo "check-text: self-test: expected $1: $3" >&2
            failures=$((failures + 1))
        fi
    }
    expect found Sources/Questions/P.swift 'try db.execute(sql: "SELECT * FROM records WHERE name = '"'"'\(name)'"'"'")'
    expect found Sources/Store/P.swift '    WHERE domain = \(domain) AND day = ?'
    expect found Sources/Store/P.swift '"DELETE FROM \(table) WHERE id = \(id)"'
    expect found Sources/CLI/P.swift 'sql: "SELECT \(key(of: (a, b))) FROM t"'
    expect found Sources/CLI/P.swift 'let text = String(format: template, name)'
    expect found Sources/Ingest/P.swift '    printf(message)'
    expect clean Sources/Store/P.swift '"DELETE FROM \(table) WHERE id = ?"'
    expect clean Sources/Questions/P.swift '// SELECT \(anything) in a comment'
    expect clean Sources/CLI/P.swift 'say("chosen FROM \(list)")'
    [[ $failures -eq 0 ]]
}

case "${1:-}" in
    --self-test) self_test ;;
    *) check "${1:-$here}" ;;
esac
