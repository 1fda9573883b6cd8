# shellcheck shell=sh
# Runs of one scenario, judged together, recorded in the history. Read by run.sh.

: "${LOAD_SCENARIO:=scenarios/nightly-100.toml}" "${LOAD_RUNS:=3}"
# The history names the commit of the tested system; a pipeline may set it to what is deployed.
: "${HARNESS_COMMIT:=${GITHUB_SHA:-${CI_COMMIT_SHA:-}}}"
[ -z "$HARNESS_COMMIT" ] || export HARNESS_COMMIT

code=0
measure run "$(shipped "$LOAD_SCENARIO")" --repeat "$LOAD_RUNS" --reports "$LOAD_OUT/reports" \
    --history "$LOAD_HISTORY" || code=$?
case $code in
0) verdict=PASS ;;
1) verdict=FAIL ;;
2) verdict='WRONG USAGE' ;;
3) verdict=INCONCLUSIVE ;;
4) verdict=INVALID ;;
5) verdict='STACK NOT AVAILABLE' ;;
*) verdict=INTERRUPTED ;;
esac
{
    heading "$verdict" "$LOAD_SCENARIO"
    picture
    details "$code"
} >"$LOAD_OUT/summary.md"
if [ -s "$LOAD_HISTORY" ]; then
    set -- site "$LOAD_OUT/site" --history "$LOAD_HISTORY"
    [ ! -d "$LOAD_OUT/reports" ] || set -- "$@" --reports "$LOAD_OUT/reports"
    harness "$@" >/dev/null || echo 'warning: there is no page over all runs' >&2
fi
publish "$code" "$verdict" '3 4 5'
