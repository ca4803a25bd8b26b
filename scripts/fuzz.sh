#!/usr/bin/env bash
# Feeds each reader of foreign bytes with mutations of samples, under AddressSanitizer, and says how far it came.
#
#   scripts/fuzz.sh [TARGET…]        FUZZ_SECONDS=600 for each
#
# Targets are the folders of Fuzz/. What is learned is kept in .build/fuzz-corpus/TARGET, so that the next run goes on from there. An input
# that brings a target down stays in .build/fuzz-findings/TARGET, and the exit status is 1.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-600}
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(find Fuzz -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | LC_ALL=C sort)
fi

# Samples as the first inputs. For some targets the first byte says how the rest is cut into pieces.
seed() { # target
    local folder=.build/fuzz-corpus/$1 file
    mkdir -p "$folder" ".build/fuzz-findings/$1"
    case $1 in
        xml)
            while read -r file; do
                { printf '\x3f'; case $file in *.gz) gzip -dc "$file" 2>/dev/null || true ;; *) cat "$file" ;; esac; } >"$folder/$(basename "$file")"
            done < <(find reports-sample \( -name '*.xml' -o -name '*.xml.gz' \) -size -24k)
            ;;
        unpack) find reports-sample/containers reports-sample/refused -type f ! -name '*.json' -size -64k -exec cp {} "$folder" \; ;;
        mime | header) find reports-sample/mails reports-sample/reporters -name '*.eml' -size -64k -exec cp {} "$folder" \; ;;
        authentication)
            while read -r file; do sed '/^\r*$/q' "$file" >"$folder/$(basename "$file")"; done < <(
                find reports-sample/mails reports-sample/reporters -name '*.eml')
            ;;
    esac
    if [[ -d Fuzz/$1/seeds ]]; then cp Fuzz/"$1"/seeds/* "$folder"; fi
}

# Dead stripping takes the tables of coverage for dead. Of two options -sanitize= the compiler takes the last, and --sanitize gives them in any order:
# both stand in one, behind that of --sanitize, which is for C and C++.
build=("${SWIFT:-swift}" build -c release --scratch-path .build/fuzz --sanitize address --sanitize fuzzer --disable-dead-strip
    -Xswiftc -enable-testing -Xswiftc -sanitize=fuzzer,address)

# A program without these would run, and find next to nothing.
require_instrumented() { # program
    readelf --sections --wide "$1" | grep __sancov_cntrs >/dev/null || { echo "fuzz: $1 has no coverage" >&2; exit 70; }
    [[ $(nm "$1" | grep -c ' [tTU] __asan_report_') -gt 0 ]] || { echo "fuzz: $1 has no AddressSanitizer" >&2; exit 70; }
    # The functions that report are in the runtime; ours, whose names begin with $s, call them: 700 times in the smallest program.
    [[ $(objdump --disassemble --no-show-raw-insn "$1" | awk '/^[0-9a-f]+ </ {ours = /<[$]s/} ours && /call.*<__asan_report_/ {n++} END {print n + 0}') -gt 200 ]] \
        || { echo "fuzz: the code of $1 is not checked by AddressSanitizer" >&2; exit 70; }
}
export DMARCSTAT_FUZZ=1
failed=0
for target in "${targets[@]}"; do
    [[ -d Fuzz/$target ]] || { echo "fuzz: no target $target; there are: $(ls Fuzz | tr '\n' ' ')" >&2; exit 64; }
    "${build[@]}" --product "fuzz-$target" 2>&1 | grep -E 'error|Compiling|Build of' | tail -n 3 >&2
    require_instrumented ".build/fuzz/release/fuzz-$target"
    seed "$target"
    arguments=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
        -artifact_prefix=".build/fuzz-findings/$target/")
    if [[ -f Fuzz/$target/dictionary ]]; then arguments+=(-dict="Fuzz/$target/dictionary"); fi
    log=.build/fuzz-findings/$target/log
    status=0
    # The Swift runtime keeps some memory for ever, which is no leak of ours.
    SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 .build/fuzz/release/"fuzz-$target" "${arguments[@]}" ".build/fuzz-corpus/$target" >"$log" 2>&1 || status=$?
    runs=$(awk '/number_of_executed_units/ {print $2}' "$log")
    rate=$(awk '/average_exec_per_sec/ {print $2}' "$log")
    memory=$(awk '/peak_rss_mb/ {print $2}' "$log")
    coverage=$(grep -a -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2 || true)
    if [[ $status -eq 0 && ${coverage:-0} -gt 0 ]]; then
        echo "fuzz $target: clean, ${runs:-0} executions, ${rate:-0}/s, ${coverage} edges covered, peak memory ${memory:-0} MiB"
    else
        failed=1
        echo "fuzz $target: FAILED, status $status, ${coverage:-0} edges covered; $log:"
        grep -a -v '^#' "$log" | tail -n 25
    fi
done
exit "$failed"
