#!/bin/bash
# The ordinary script, the other way round. FILE and a new DATABASE are its arguments.
set -eo pipefail
createdb --host 127.0.0.1 --username postgres --template template0 "$2"
gunzip --stdout "$1" | psql --no-psqlrc --quiet --output /dev/null --set ON_ERROR_STOP=1 \
    --host 127.0.0.1 --username postgres "$2"
