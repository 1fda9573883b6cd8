#!/bin/sh
# Stands for the command in tests of the CI scripts: records each call, and leaves what a script
# reads. RUN_CODE, TREND_CODE, ... are its exit codes.
set -eu
{ printf '%s\037' "$@" && printf '\036'; } >>"$RECORD_IN/calls"
called=$1
case ${2:-} in
verify | sign) called=$1-$2 ;;
esac
env >>"$RECORD_IN/environment-$called"

# after OPTION ARGUMENTS...: the value of an option.
after() {
    option=$1
    shift
    while [ "$1" != "$option" ]; do shift; done
    printf '%s\n' "$2"
}

case $1 in
run)
    echo 'summary of run' >>"$GITHUB_STEP_SUMMARY"
    head -c "${SUMMARY_BYTES:-0}" /dev/zero | tr '\0' x >>"$GITHUB_STEP_SUMMARY"
    echo '{}' >>"$(after --history "$@")"
    exit "${RUN_CODE:-0}"
    ;;
trend)
    for form in --markdown --svg; do
        echo "drawn as $form" >"$(after "$form" "$@")"
    done
    exit "${TREND_CODE:-0}"
    ;;
site) exit "${SITE_CODE:-0}" ;;
compare)
    [ "${RUN_CODE:-0}" = 2 ] || echo '## comparison' >"$(after --markdown "$@")"
    exit "${RUN_CODE:-0}"
    ;;
signoff)
    case $2 in
    verify)
        echo 'verified: MATCHES'
        exit "${VERIFY_CODE:-0}"
        ;;
    sign)
        key=$(after --key "$@")
        { stat -c %a "$key" && cat "$key"; } >"$RECORD_IN/key-seen"
        exit "${SIGN_CODE:-0}"
        ;;
    *)
        out=$(after --out "$@")
        mkdir -p "$out"
        [ -n "${NO_ARCHIVE:-}" ] || : >"$out/20261130-000000-policy-0001-signoff.tar.gz"
        exit "${RUN_CODE:-0}"
        ;;
    esac
    ;;
esac
