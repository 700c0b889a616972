# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a backup of a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup
short_description: Take a backup of a PostgreSQL cluster, with a fingerprint of its data
version_added: "0.1.0"
description:
  - Dumps every database in a snapshot of its own, and takes the fingerprint of the data in that very snapshot,
    so that a restore can be compared with what was there.
  - Roles, tablespaces, their settings and grants are always part of a backup.
  - A run that is killed, or that runs out of space, leaves the catalogue as it was.
  - When one database fails, the others are kept in a set of state C(failed) and the module fails and names it.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  tier:
    description:
      - Why the backup is taken. One backup may serve several tiers. Retention keeps each for its own time.
    type: list
    elements: str
    choices: [daily, weekly, monthly, predeploy, manual, safety]
    default: [manual]
  method:
    description:
      - How it is taken. C(logical) is pg_dump of every database, plus globals.
    type: str
    choices: [logical]
    default: logical
  if_older_than:
    description:
      - Take no new backup while a sound one of every tier is younger than this, such as C(20h) or C(6d).
      - Without it, every run takes a backup.
    type: str
  databases:
    description:
      - Only these databases. By default the configured ones, or else all of them. Templates are never backed up.
    type: list
    elements: str
  jobs:
    description:
      - Parallel connections of the dump. By default as configured.
    type: int
  compression:
    description:
      - V(auto), V(none), or an algorithm with an optional level, such as V(zstd:3), V(gzip:1) or V(lz4).
      - V(auto) takes the fastest that the programs at hand have been built with.
    type: str
  fingerprint:
    description:
      - How deeply the data are fingerprinted. By default as configured, which is C(digest) unless changed.
    type: str
    choices: [none, counts, digest]
  exclude_table_data:
    description:
      - Patterns of pg_dump for tables whose rows are left out. Their definitions are kept.
    type: list
    elements: str
  role_passwords:
    description:
      - Keep the hashes of the roles' passwords. By default as configured.
    type: bool
  note:
    description:
      - A text that is kept with the backup.
    type: str
    default: ""
  wait:
    description:
      - Seconds to wait for another backup of this cluster to end, before giving up.
    type: int
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and return the plan of the real run.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Takes no second backup where O(if_older_than) is given and a young enough one exists.
    support: partial
seealso:
  - module: pg_backup_info
  - module: pg_restore
"""

EXAMPLES = r"""
- name: Take the backup of today, unless there is one
  pg_backup:
    cluster: shop
    tier: [daily]
    if_older_than: 20h

- name: Take a backup before a deployment, without the rows of the cache
  pg_backup:
    cluster: shop
    tier: [predeploy]
    exclude_table_data: ["public.cache*"]
    note: release 2026.11
"""

RETURN = r"""
backup:
  description:
    - The whole summary of the backup that was taken, or of the one that is young enough.
    - Sizes are in bytes, C(duration) and C(age) in seconds.
  returned: success, not in check mode unless one is young enough
  type: dict
  sample:
    id: 20261122T101500Z-daily-3f9c1e
    state: complete
    tiers: [daily]
    size: 48211034
    databases: [{name: shop, rows: 1000000, tables: 14, digest: 9e107d9d372bb6826bd81d3542a419d6}]
    compression: {algorithm: "zstd:1", reason: "fastest for its size, and this pg_dump has it"}
    configuration: [pg_hba.conf, pg_ident.conf, postgresql.conf, settings.json]
    warnings: []
    limitations: []
plan:
  description: What a real run would do.
  returned: in check mode
  type: dict
  sample: {action: back up, databases: [shop], database_bytes: 310378496}
reason:
  description: Why a backup was taken, or why none was.
  returned: success
  type: str
  sample: asked for
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations.backup import BackupRequest, backup, override, parse_age, plan
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run

OPTIONS = ("jobs", "compression", "fingerprint", "databases", "exclude_table_data", "role_passwords")


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    tiers = ["daily", "weekly", "monthly", "predeploy", "manual", "safety"]
    return cluster_spec(
        tier={"type": "list", "elements": "str", "choices": tiers, "default": ["manual"]},
        method={"type": "str", "choices": ["logical"], "default": "logical"},
        if_older_than={"type": "str"},
        databases={"type": "list", "elements": "str"},
        jobs={"type": "int"},
        compression={"type": "str"},
        fingerprint={"type": "str", "choices": ["none", "counts", "digest"]},
        exclude_table_data={"type": "list", "elements": "str"},
        role_passwords={"type": "bool", "no_log": False},
        note={"type": "str", "default": ""},
        wait={"type": "int", "default": 0},
    )


def main() -> None:
    """Take a backup, or return the plan of one."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params

    def operation(config: ClusterConfig) -> dict[str, object]:
        request = BackupRequest(
            tiers=tuple(dict.fromkeys(given["tier"])),
            method=given["method"],
            if_older_than=parse_age(given["if_older_than"]) if given["if_older_than"] else None,
            note=given["note"],
            wait=given["wait"],
            options=override(config.backup, **{name: given[name] for name in OPTIONS}),
        )
        if not module.check_mode:
            return backup(config, request, System(), Progress())
        chosen = plan(config, request, System())
        return {"changed": chosen.dumps is not None, "reason": chosen.reason, "plan": chosen.as_dict()}

    run(module, operation)


if __name__ == "__main__":
    main()
