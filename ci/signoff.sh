# shellcheck shell=sh
# A policy is carried out, its archive signed and verified. Read by run.sh.

: "${LOAD_POLICY:=scenarios/signoff/pre-release.toml}"
# What runs meanwhile has no use for the key and its password.
key=${LOAD_SIGNING_KEY:-}
password=${HARNESS_SIGNOFF_PASSWORD:-}
unset LOAD_SIGNING_KEY HARNESS_SIGNOFF_PASSWORD

# sign ARCHIVE: the key is in a file that only this user reads, for as long as it is needed.
sign() (
    key_file=$(mktemp "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/signing-key.XXXXXX") || exit 1
    trap 'rm -f "$key_file"' EXIT
    trap 'exit 130' HUP INT TERM
    printf '%s\n' "$key" >"$key_file" || exit 1
    if [ -n "$password" ]; then
        HARNESS_SIGNOFF_PASSWORD=$password
        export HARNESS_SIGNOFF_PASSWORD
    fi
    harness signoff sign "$1" --key "$key_file"
)

code=0
measure signoff "$(shipped "$LOAD_POLICY")" --out "$LOAD_OUT/signoff" || code=$?
archive=
for found in "$LOAD_OUT"/signoff/*.tar.gz; do
    # Names begin with the time: the last one is the newest.
    [ ! -f "$found" ] || archive=$found
done
: >"$LOAD_OUT/verify.txt"
if [ -n "$archive" ]; then
    verified=0
    harness signoff verify "$archive" >"$LOAD_OUT/verify.txt" 2>&1 || verified=$?
    if [ "$code" -eq 0 ] && [ "$verified" -ne 0 ]; then
        echo "error: the archive verifies with exit code $verified, not 0" >&2
        code=1
    fi
    if [ "$code" -eq 0 ] && [ -n "$key" ]; then
        sign "$archive" || code=1
    fi
elif [ "$code" -eq 0 ]; then
    echo 'error: there is no archive' >&2
    code=1
fi
case $code in
0) verdict='SIGNED OFF' ;;
1) verdict='NOT SIGNED OFF' ;;
2) verdict='WRONG USAGE' ;;
3) verdict='INDICATIVE OR UNKNOWN' ;;
*) verdict='NOT COMPLETED' ;;
esac
{
    heading "$verdict" "$LOAD_POLICY"
    if [ -s "$LOAD_OUT/verify.txt" ]; then
        # As text: four blanks, and no line of the archive ends the block.
        sed 's/^/    /' "$LOAD_OUT/verify.txt"
        echo
    fi
    picture
    details "$code"
} >"$LOAD_OUT/summary.md"
publish "$code" "$verdict" '3'
