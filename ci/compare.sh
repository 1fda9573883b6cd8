# shellcheck shell=sh
# Two systems run alternately on this machine, then compared. Read by run.sh.

: "${LOAD_SCENARIO:=scenarios/smoke.toml}" "${LOAD_RUNS:=5}" "${LOAD_BASE:=}" "${LOAD_NEW:=}"
if [ -z "$LOAD_BASE" ] || [ -z "$LOAD_NEW" ]; then
    refuse 'LOAD_BASE or LOAD_NEW is missing' \
        'each is a checkout, a settings file, a contract or an image set (docs/compare.md)'
fi
[ -z "$LOAD_CONTRACT" ] || refuse 'LOAD_CONTRACT is set' 'LOAD_BASE and LOAD_NEW name the contracts'

rm -f "$LOAD_OUT/compare.md"
code=0
measure compare --interleave "$LOAD_BASE" "$LOAD_NEW" --scenario "$(shipped "$LOAD_SCENARIO")" \
    --runs "$LOAD_RUNS" --reports "$LOAD_OUT/reports" \
    --markdown "$LOAD_OUT/compare.md" --junit "$LOAD_OUT/junit.xml" || code=$?
case $code in
0) verdict='NOT SLOWER' ;;
1) verdict=SLOWER ;;
2) verdict='WRONG USAGE' ;;
3) verdict='CANNOT TELL' ;;
4) verdict=INVALID ;;
5) verdict='STACK NOT AVAILABLE' ;;
*) verdict=INTERRUPTED ;;
esac
{
    # It begins with the verdict and the change.
    cat "$LOAD_OUT/compare.md" 2>/dev/null || heading "$verdict" "$LOAD_SCENARIO"
    picture
} >"$LOAD_OUT/summary.md"
# A system that does not start (5) must not be merged on green.
publish "$code" "$verdict" '3 4'
