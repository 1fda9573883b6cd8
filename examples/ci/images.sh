#!/bin/sh
# Settings files of both sides, as `harness compare --interleave` reads them: load/images.sh.
set -eu
mkdir -p load
printf 'image = ["engine=%s"]\n' "$BASE" >load/base.toml
printf 'image = ["engine=%s"]\n' "$NEW" >load/new.toml
