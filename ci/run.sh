#!/bin/sh
# The entry of every CI job: LOAD_MODE is nightly, compare or signoff. docs/ci.md has each setting.
#
# Settings are environment variables: no text of a workflow or a pull request becomes shell text,
# and secrets stay in the environment, where the harness reads them.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# A setting of a CI system that was left out is an empty variable.
: "${LOAD_HARNESS:=$here/../.venv/bin/harness}" "${LOAD_OUT:=load-test}" "${LOAD_UNDECIDED:=fail}"
: "${LOAD_HISTORY:=$LOAD_OUT/history.jsonl}" "${LOAD_STACK:=}" "${LOAD_CONTRACT:=}"
: "${LOAD_IMAGES:=}" "${LOAD_RUNS:=}"

# refuse WHAT HINT: wrong usage, which is never a warning only.
refuse() {
    printf 'error: %s\n  hint: %s\n' "$1" "$2" >&2
    exit 2
}

# shipped FILE: a scenario or a policy of the harness may be named from any folder.
shipped() {
    if [ ! -e "$1" ] && [ -e "$here/../$1" ]; then set -- "$here/../$1"; fi
    printf '%s\n' "$1"
}

# harness ARGUMENTS...: its own summary goes below the one that is made here.
harness() {
    GITHUB_STEP_SUMMARY="$LOAD_OUT/details.md" "$LOAD_HARNESS" "$@"
}

# measure ARGUMENTS...: the same, against the system under test; LOAD_IMAGES has one image a line.
measure() {
    set -- "$@" --stack "$LOAD_STACK"
    [ -z "$LOAD_CONTRACT" ] || set -- "$@" --contract "$LOAD_CONTRACT"
    while IFS= read -r image; do
        [ -z "$image" ] || set -- "$@" --image "$image"
    done <<EOF
$LOAD_IMAGES
EOF
    harness "$@"
}

# heading VERDICT SUBJECT: the first line of the summary; \140 is a backquote, so that the subject
# is not read as markup.
heading() {
    printf '## %s: \140%s\140\n\n' "$1" "$(printf '%s' "$2" | tr -cd 'A-Za-z0-9._/=-')"
}

# picture: the newest runs of the history, in Markdown; without them the verdict is the same.
picture() {
    [ -s "$LOAD_HISTORY" ] || return 0
    if harness trend --history "$LOAD_HISTORY" \
        --markdown "$LOAD_OUT/trend.md" --svg "$LOAD_OUT/trend.svg" >"$LOAD_OUT/trend.txt"; then
        cat "$LOAD_OUT/trend.md"
    else
        echo 'warning: the history could not be drawn' >&2
    fi
}

# details CODE: what the harness itself had for the summary; open where the job is not green.
details() {
    [ -s "$LOAD_OUT/details.md" ] || return 0
    open=''
    [ "$1" -eq 0 ] || open=' open'
    printf '<details%s><summary>Details</summary>\n\n' "$open"
    cat "$LOAD_OUT/details.md"
    printf '\n</details>\n'
}

# publish CODE VERDICT UNDECIDED: shows summary.md, sets the outputs, and ends with the exit code.
# UNDECIDED are the codes that say nothing of the system; LOAD_UNDECIDED=warn makes them warnings.
publish() {
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
        # GitHub refuses a summary of more than 1 MiB as a whole.
        head -c 1000000 "$LOAD_OUT/summary.md" >>"$GITHUB_STEP_SUMMARY"
    else
        cat "$LOAD_OUT/summary.md"
    fi
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
        printf 'exit-code=%s\nverdict=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
    fi
    case " $3 " in
    *" $1 "*)
        if [ "$LOAD_UNDECIDED" = warn ]; then
            echo "::warning title=load test::$2 (exit code $1): nothing is known of the system"
            exit 0
        fi
        ;;
    esac
    exit "$1"
}

case $LOAD_STACK in
process | docker | attach) ;;
*)
    refuse "LOAD_STACK is '$LOAD_STACK'" \
        'process (the reference engine of the harness), docker (your images) or attach (your system)'
    ;;
esac
case $LOAD_UNDECIDED in
warn | fail) ;;
*) refuse "LOAD_UNDECIDED is '$LOAD_UNDECIDED'" 'warn or fail' ;;
esac
mkdir -p "$LOAD_OUT"
: >"$LOAD_OUT/details.md"

case ${LOAD_MODE:-} in
nightly) . "$here/nightly.sh" ;;
compare) . "$here/compare.sh" ;;
signoff) . "$here/signoff.sh" ;;
*) refuse "LOAD_MODE is '${LOAD_MODE:-}'" 'nightly, compare or signoff' ;;
esac
