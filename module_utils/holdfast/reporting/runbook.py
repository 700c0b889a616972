# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The RUNBOOK of a cluster: how to bring it back by hand, with stock tools only, with its real names and paths."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

_HEAD = """\
# RUNBOOK: bring cluster {cluster} back by hand

Written by Holdfast {holdfast} on {time}, anew with every backup. With Holdfast at hand, `holdfast recover` does all of this,
safer. Without it, follow this text as root on {host}, in one shell, from top to bottom; nothing in it deletes the old data.

| | |
| --- | --- |
| repository | `{repository}` |
| server | {server} |
| data | `{data}` |

## 1. Choose a backup

```sh
set -eu
cd {backups}
ls -d 2*Z-*
backup=$(ls -d 2*Z-* | grep -v -e -safety- | tail -n 1)
(cd "$backup" && sha256sum --check --quiet checksums.sha256)
```

The last one is the newest. If `sha256sum` complains, take the one before: `backup=…`.
The server's configuration files are in `$backup/configuration`, if it has them. Nothing below puts them back.
"""
_CONTAINER = """
## 2. Stop the applications

```sh
: > {stopped}
for one in $({engine} ps --quiet --filter label=com.docker.compose.project={project}); do
    if [ "$({engine} inspect --format '{{{{.Name}}}}' "$one" | tr -d /)" != {container} ]; then
        {engine} stop "$one"
        echo "$one" >> {stopped}
    fi
done
```

## 3. Put the old data aside, and have a new server

```sh
{engine} stop {container}
mv {data} {data}.old
mkdir {data}
{engine} start {container}
until {engine} exec {container} pg_isready --quiet --host=127.0.0.1; do sleep 1; done
```

If there is no container {container}, have it made instead of started:

    {up}

## 4. Restore

Roles that exist already are named, and are no failure.

```sh
tool() {{
    program=$1
    shift
    {engine} run --rm --network container:{container} --user "$(stat --format %u:%g "$backup")" \\
        --env PGHOST=127.0.0.1 --env PGPORT={port} --env PGUSER={user} \\
        --volume "$PWD/$backup:/backup:ro" --entrypoint "$program" {image} "$@"
}}
tool psql --no-psqlrc --quiet --dbname template1 --file /backup/globals.sql
for dump in "$backup"/databases/*; do
    tool pg_restore --exit-on-error --clean --if-exists --create --jobs 2 --dbname template1 \\
        "/backup/databases/$(basename "$dump")"
done
tool vacuumdb --all --analyze-only --quiet
```

A server that asks for a password there: add `--env PGPASSWORD` to `tool`, and set it in the shell.

## 5. Look at it

```sh
tool psql --no-psqlrc --dbname template1 --list
```

## 6. Start the applications

```sh
xargs --no-run-if-empty {engine} start < {stopped}
```

## To take it back

    {engine} stop {container}
    mv {data} {data}.restored
    mv {data}.old {data}
    {engine} start {container}
"""
_HOST = """
## 2. Stop the applications

Whatever writes to the database: stop it now.

## 3. If the data directory is lost: put it aside, and have a new server

Skip this while the server still runs. Its service may have another name.

    systemctl stop postgresql
    mv {data} {data}.old
    install --directory --owner {owner} --mode 0700 {data}
    su {owner} -c '{bin_dir}/initdb --pgdata {data}'
    systemctl start postgresql

## 4. Restore

Roles that exist already are named, and are no failure.

```sh
tool() {{
    program=$1
    shift
    {environment} {bin_dir}/"$program" "$@"
}}
tool psql --no-psqlrc --quiet --dbname template1 --file "$PWD/$backup/globals.sql"
for dump in "$backup"/databases/*; do
    tool pg_restore --exit-on-error --clean --if-exists --create --jobs 2 --dbname template1 "$PWD/$dump"
done
tool vacuumdb --all --analyze-only --quiet
```

## 5. Look at it

```sh
tool psql --no-psqlrc --dbname template1 --list
```

## 6. Start the applications
"""


def text(facts: Mapping[str, Any]) -> str:
    """The RUNBOOK.

    :param facts: ``cluster``, ``holdfast``, ``time``, ``host``, ``repository``, ``data`` and ``server``; of a container
        ``engine``, ``container``, ``project``, ``image``, ``user``, ``port`` and ``up``; of a host ``bin_dir``, ``owner``
        and ``environment``.
    """
    quoted = {key: shlex.quote(str(value)) for key, value in facts.items()}
    plain = {key: facts[key] for key in ("cluster", "holdfast", "time", "host", "server")}
    for key in ("environment", "up"):
        if key in facts:
            plain[key] = facts[key]
    backups = shlex.quote(f"{facts['repository']}/backups")
    stopped = shlex.quote(f"/root/holdfast-stopped-{facts['cluster']}")
    told = {**quoted, **plain, "backups": backups, "stopped": stopped}
    return (_HEAD + (_CONTAINER if "container" in facts else _HOST)).format(**told)
