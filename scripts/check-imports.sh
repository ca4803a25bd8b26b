#!/usr/bin/env bash
# Checks that the imports between targets are those of the architecture, and no others.
#
#   scripts/check-imports.sh [FOLDER]      checks FOLDER/Sources and FOLDER/migrations; prints file:line of what is wrong; exit 1
#   scripts/check-imports.sh --self-test   plants wrong imports in a copy and expects each to be found
#
# The compiler checks that an imported Swift target is declared in Package.swift. It checks neither C modules reached through
# another target, nor that Package.swift itself declares no arrow that the architecture does not have. This does both, and sees that no question
# holds SQL.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# target: what it may import beside the standard library. A C module stands with the one target that owns it.
allowed='
DMARC:
ReportXML: DMARC CLibXML2 Glibc
Unpacking: CLibArchive CZlib Glibc
Mail: CGMime Glibc Synchronization
IMAP: Mail CLibCurl Glibc Synchronization
Migrations:
Organisations: DMARC CLibPSL Glibc
Inference: DMARC Organisations Glibc
Store: CLinux DMARC Organisations Inference Migrations GRDB GRDBSQLite Foundation Glibc Dispatch Synchronization
Refresh: DMARC Organisations Inference Store GRDB
Advice: DMARC Organisations Inference
Questions: DMARC Organisations Inference Store Advice Glibc
Doctor: DMARC Organisations Inference Store Refresh GRDB Glibc
Rendering: Glibc
Ingest: CLinux DMARC ReportXML Unpacking Mail Store Foundation Glibc Dispatch Synchronization
CLI: CLinux DMARC ReportXML Unpacking Mail IMAP Organisations Inference Store Refresh Questions Advice Doctor Rendering Ingest ArgumentParser Logging TOMLKit Foundation Glibc Dispatch Synchronization
dmarcstat: CLI Glibc
ArchiveMaking: CZlib
DatabaseFixtures: CZlib
'

# Prints "file:line: message" for every import that the table does not allow.
wrong_imports() {
    local root=$1
    (cd "$root" && find Sources migrations -name '*.swift' -print 2>/dev/null | LC_ALL=C sort) | (
        cd "$root" && xargs -r -d '\n' awk -v table="$allowed" '
        BEGIN {
            count = split(table, lines, "\n")
            for (i = 1; i <= count; i++) {
                if (lines[i] == "") continue
                colon = index(lines[i], ":")
                target = substr(lines[i], 1, colon - 1)
                known[target] = 1
                words = split(substr(lines[i], colon + 1), names, " ")
                for (j = 1; j <= words; j++) may[target, names[j]] = 1
            }
        }
        FNR == 1 {
            split(FILENAME, parts, "/")
            target = parts[1] == "migrations" ? "Migrations" : parts[2]
            if (!(target in known)) print FILENAME ":1: the target " target " is not in the table of scripts/check-imports.sh"
        }
        {
            # Several statements may share a line, and a comment may stand before or after them.
            line = $0
            gsub(/\/\*([^*]|\*[^\/])*\*\//, " ", line)
            sub(/\/\/.*/, "", line)
            statements = split(line, parts_of_line, ";")
            for (i = 1; i <= statements; i++) {
                statement = parts_of_line[i]
                if (statement !~ /^[ \t]*((@[A-Za-z_]+(\([^)]*\))?|public|package|internal|fileprivate|private)[ \t]+)*import[ \t]/) continue
                sub(/^.*import[ \t]+/, "", statement)
                sub(/^(typealias|struct|class|enum|protocol|let|var|func)[ \t]+/, "", statement)
                match(statement, /^[A-Za-z_][A-Za-z0-9_]*/)
                module = substr(statement, RSTART, RLENGTH)
                if (!((target, module) in may)) print FILENAME ":" FNR ": " target " must not import " module
            }
        }'
    )
}

# Prints the lines of Package.swift that declare an arrow the table does not have. Test targets may depend on anything.
wrong_declarations() {
    local root=$1
    [[ -f $root/Package.swift ]] || return 0
    awk -v table="$allowed" '
    BEGIN {
        count = split(table, lines, "\n")
        for (i = 1; i <= count; i++) {
            if (lines[i] == "") continue
            colon = index(lines[i], ":")
            target = substr(lines[i], 1, colon - 1)
            words = split(substr(lines[i], colon + 1), names, " ")
            for (j = 1; j <= words; j++) may[target, names[j]] = 1
        }
    }
    /\.(target|executableTarget)\(/ { target = "?"; inside = 1 }
    /\.(testTarget|systemLibrary)\(/ { inside = 0 }
    inside && target == "?" && match($0, /name: "[^"]*"/) { target = substr($0, RSTART + 7, RLENGTH - 8) }
    inside && /dependencies: \[/ { listing = 1 }
    inside && listing {
        rest = $0
        sub(/^.*dependencies: \[/, "", rest)
        # Inside a product only its name counts.
        gsub(/package: "[^"]*"/, "", rest)
        end = index(rest, "]")
        if (end > 0) rest = substr(rest, 1, end)
        while (match(rest, /"[^"]*"/)) {
            name = substr(rest, RSTART + 1, RLENGTH - 2)
            if (!((target, name) in may)) print "Package.swift:" FNR ": " target " must not depend on " name
            rest = substr(rest, RSTART + RLENGTH)
        }
        if (end > 0) { listing = 0; inside = 0 }
    }' "$root/Package.swift"
}

# Questions fold facts: SQL, and what runs it, stay below them.
wrong_statements() {
    (cd "$1" && grep -rnE 'SQLRows|"SELECT |^ *SELECT ' Sources/Questions 2>/dev/null) |
        sed -E 's/^([^:]*:[0-9]*):.*/\1: Questions must not hold SQL/' || true
}

check() {
    local found
    found=$(wrong_imports "$1"; wrong_declarations "$1"; wrong_statements "$1")
    if [[ -n $found ]]; then
        echo "$found"
        return 1
    fi
}

self_test() {
    local failures=0
    copy=$(mktemp -d)
    trap 'rm -rf "${copy:?}"' EXIT
    plant() { # file, text
        rm -rf "${copy:?}"/*
        cp -r "$here/Sources" "$here/migrations" "$here/Package.swift" "$copy/"
        mkdir -p "$copy/$(dirname "$1")"
        printf '%s\n' "$2" >>"$copy/$1"
    }
    expect_found() { # file, text, words of the complaint
        plant "$1" "$2"
        local found
        if found=$(check "$copy") || ! grep -qF "$3" <<<"$found"; then
            echo "check-imports: self-test: not found in $1: $2" >&2
            failures=$((failures + 1))
        fi
    }
    expect_found Sources/Rendering/Planted.swift 'import Ingest' 'Planted.swift:1: Rendering must not import Ingest'
    expect_found Sources/DMARC/Planted.swift 'import Store' 'DMARC must not import Store'
    expect_found Sources/CLI/Planted.swift 'internal import CZlib' 'CLI must not import CZlib'
    expect_found Sources/CLI/Planted.swift '@preconcurrency import GRDB' 'CLI must not import GRDB'
    expect_found Sources/Mail/Planted.swift 'public import struct DMARC.Report' 'Mail must not import DMARC'
    expect_found Sources/Unpacking/Planted.swift 'import Glibc; import CLibXML2 // for later' 'Unpacking must not import CLibXML2'
    expect_found Sources/Questions/Planted.swift '/* a */ @_implementationOnly import Rendering' 'Questions must not import Rendering'
    expect_found Sources/Inference/Planted.swift 'import GRDB' 'Inference must not import GRDB'
    expect_found Sources/Questions/Planted.swift 'import GRDB' 'Questions must not import GRDB'
    expect_found Sources/Questions/Planted.swift 'let sql = "SELECT 1"' 'Planted.swift:1: Questions must not hold SQL'
    expect_found Sources/Advice/Planted.swift 'import Store' 'Advice must not import Store'
    expect_found Sources/ReportXML/Planted.swift '@_spi(Testing) import Unpacking' 'ReportXML must not import Unpacking'
    expect_found Sources/Novelty/Planted.swift 'let x = 1' 'the target Novelty is not in the table'
    expect_found Package.swift '.target(name: "Rendering", dependencies: ["DMARC"])' 'Rendering must not depend on DMARC'
    expect_found Package.swift '.target(
        name: "Mail",
        dependencies: [
            "CGMime",
            .product(name: "GRDB", package: "GRDB.swift"),
        ])' 'Mail must not depend on GRDB'

    plant Sources/Rendering/Planted.swift '// import Ingest
let text = "no import Ingest either"
let important = 1'
    local before after
    before=$(check "$here" || true)
    after=$(check "$copy" || true)
    if [[ $before != "$after" ]]; then
        echo "check-imports: self-test: complained about what is no import: $after" >&2
        failures=$((failures + 1))
    fi
    [[ $failures -eq 0 ]]
}

case "${1:-}" in
    --self-test) self_test ;;
    *) check "${1:-$here}" ;;
esac
