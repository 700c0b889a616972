#!/bin/bash
# The ordinary script: what a user without a tool puts into cron. DATABASE and FILE are its arguments.
set -o pipefail
pg_dump --host 127.0.0.1 --username postgres "$1" | gzip > "$2"
