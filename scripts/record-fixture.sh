#!/usr/bin/env bash
# Keeps a small real database of the present schema, made by the present binary, so that every later version is tested on it.
#
#   scripts/record-fixture.sh [BINARY]      a debug build: only they have the fault that makes a message be kept whole
#
# Writes Tests/DatabaseFixtures/schema-N: the database, what it answers, and the digests of the migrations that made it. Once for each schema that
# is released; what was recorded is never replaced, because nobody could make it again. Tests/DatabaseFixtures/README.md says what tests do with it.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "${1:-.build/debug/dmarcstat}")
# The database keeps the canonical paths of its mailboxes, so they have to be the same on every machine.
work=/tmp/dmarcstat-fixture

say() { echo "record-fixture: $*" >&2; }
fail() { say "$*"; exit 1; }

newest=$(find migrations -name '[0-9]*.sql' | wc -l)
target=Tests/DatabaseFixtures/schema-$newest
[[ ! -e $target ]] || fail "$target is there already; a fixture is never recorded again"
mkdir "$work" || fail "$work is in the way"
trap 'rm -rf "${work:?}" "${target:?}.unfinished"' EXIT

# A part of the samples: mail and files, of every kind and every deviation. The largest would be most of the file, and show nothing more.
cp -r reports-sample/{maildir,deviations,reporters,mails,refused} "$work"
rm -f "$work"/maildir/cur/* "$work"/deviations/52-*
find "$work" -name '*.json' -delete
mkdir "$work/other"
# A report that contradicts one of the above; one that comes from somebody else than it says; one that crashes a debug build.
sed 's,<count>.*</count>,<count>7</count>,' "$work/reporters/opendmarc.xml" >"$work/other/conflict.xml"
another=$(grep -l 'From: .*@google.com' "$work"/maildir/new/* | LC_ALL=C sort | tail -n 1)
sed -E '/^(From:|Authentication-Results:| dmarc=)/s/google\.com/stranger.example/g' "$another" >"$work/other/stranger.eml"
rm "$another"
printf '<!--seeded-fault:crash--><feedback/>' >"$work/other/fault.xml"
printf 'database = "%s/dmarc.sqlite"\n[authenticity]\ntrusted_authserv_id = "mx.example.nl"\n' "$work" >"$work/config.toml"

ask() { SWIFT_BACKTRACE=enable=no "$binary" "$@" --config "$work/config.toml"; }
ask ingest "$work"/{maildir,reporters,deviations,mails,refused}
ask ingest "$work/other" 2>/dev/null && fail "nothing crashed; is $binary a debug build?"
ask ingest "$work/other"
# Kept figures of what is gone: only a purge makes them.
ask purge --before 2026-10-26 --keep-daily --format ndjson >&2

[[ $(od -An -t u4 --endian=big -j 60 -N 4 "$work/dmarc.sqlite" | tr -d ' ') == "$newest" ]] || fail "$binary knows another schema than migrations/"
[[ ! -s $work/dmarc.sqlite-wal ]] || fail "the database has a log beside it"

mkdir "$target.unfinished"
# All days, so that the answers do not depend on today.
all=(--since 2012-01-01 --until 2026-11-21 --format ndjson)
ask summary "${all[@]}" >"$target.unfinished/summary.ndjson"
ask reports "${all[@]}" --limit all | gzip -9n >"$target.unfinished/reports.ndjson.gz"
ask refused --format ndjson >"$target.unfinished/refused.ndjson"
ask export daily "${all[@]}" >"$target.unfinished/export-daily.ndjson"
ask export records "${all[@]}" | gzip -9n >"$target.unfinished/export-records.ndjson.gz"
gzip -9nc "$work/dmarc.sqlite" >"$target.unfinished/dmarc.sqlite.gz"
(cd migrations && sha256sum -- [0-9]*.sql) >"$target.unfinished/migrations.sha256"
mv "$target.unfinished" "$target"
say "recorded:"
du -b "$target"/* >&2
