#!/usr/bin/env bash
# Collects the sample reports into databases of their own below .build and answers three questions about them.
#
#   scripts/demo.sh BINARY FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
folder=$2

# Shown as typed, so that a reader can repeat it.
run() {
    printf '\n$ dmarcstat %s\n\n' "$*"
    "$binary" "$@"
}

rm -rf "$folder"
mkdir -p "$folder"
echo "A mailbox with the reports of two months about three domains, collected into a new database."
run ingest --verbose --database "$folder/maildir.sqlite" reports-sample/maildir
run summary --database "$folder/maildir.sqlite"
run top-failures --database "$folder/maildir.sqlite" --limit 10
run trend --database "$folder/maildir.sqlite" --by week

printf '\nSingle report files, one in the style of each of many reporters, into another database.\n'
mapfile -t files < <(find reports-sample/reporters -type f ! -name '*.expected.json' ! -name 'README*' | LC_ALL=C sort)
printf '\n$ dmarcstat ingest --verbose --database %s reports-sample/reporters/…   (%d files)\n\n' "$folder/reporters.sqlite" "${#files[@]}"
"$binary" ingest --verbose --database "$folder/reporters.sqlite" "${files[@]}"
run summary --database "$folder/reporters.sqlite"

printf '\nThe databases are in %s. Next: %s reports --database %s\n' "$folder" "$binary" "$folder/maildir.sqlite"
