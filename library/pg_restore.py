# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restore a backup of a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_restore
short_description: Restore a database, or a whole PostgreSQL cluster, and compare it with what was backed up
version_added: "0.1.0"
description:
  - Restores beside what is there, compares the fingerprint of the restored data with the one of the backup, and only
    then swaps by renaming, in one transaction. A failure before the swap leaves the target untouched.
  - The database that was replaced is kept aside under a dated name.
  - Looks at everything that could stop it first (checksums, version, space, roles, extensions, sessions), and refuses
    before anything is touched.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  backup:
    description:
      - Id of the backup, or V(latest) for the newest sound one, or V(latest_proven) for the newest that a restore has proved.
    type: str
    default: latest_proven
  before:
    description:
      - Only backups up to this time, in ISO 8601 with a zone, such as C(2026-11-22T10:00:00+01:00).
    type: str
  mode:
    description:
      - V(new) restores into a database that does not exist yet, V(in_place) in the place of one that does,
        V(whole_cluster) everything into an empty server, roles first.
    type: str
    choices: [new, in_place, whole_cluster]
    default: new
  database:
    description:
      - Which database of the backup. Required but for O(mode=whole_cluster).
    type: str
  into:
    description:
      - Name of the new database, with O(mode=new).
    type: str
  confirm:
    description:
      - Your say-so. With O(mode=in_place) the name of the database, with O(mode=whole_cluster) the name of the cluster.
        Not needed in check mode.
    type: str
  keep_replaced:
    description:
      - Keep the database that was replaced, under a dated name, until you drop it.
    type: bool
    default: true
  safety_backup:
    description:
      - Take a backup of tier C(safety) of the database that is about to be replaced.
    type: bool
    default: true
  compare:
    description:
      - Compare the fingerprints. A difference fails the restore before the swap.
    type: bool
    default: true
  analyze:
    description:
      - Gather the planner's statistics before the swap.
    type: bool
    default: true
  jobs:
    description:
      - Parallel connections. By default as configured.
    type: int
attributes:
  check_mode:
    description: Can run in check mode and return the plan, with everything that was looked at.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Every run restores; one into a database that exists is refused.
    support: none
seealso:
  - module: pg_backup
"""

EXAMPLES = r"""
- name: Restore the newest backup into a new database
  pg_restore:
    cluster: shop
    backup: latest
    database: shop
    into: shop_copy

- name: Restore in the place of the damaged database
  pg_restore:
    cluster: shop
    database: shop
    mode: in_place
    before: "2026-11-22T09:55:00+01:00"
    confirm: shop
"""

RETURN = r"""
backup:
  description: Summary of the backup that was restored.
  returned: success, not in check mode
  type: dict
  sample: {id: 20261122T101500Z-daily-3f9c1e, state: proven}
plan:
  description: The targets, everything that was looked at, and the steps. C(feasible) is false where a check found an error.
  returned: success
  type: dict
  sample: {feasible: true, steps: ["rename 'shop' to 'shop_before_20261122t101500'"]}
databases:
  description: For each database its C(size) in bytes, C(seconds) of each step, C(kept_aside_as), the SQL of the
      C(way_back), and the C(comparison).
  returned: success, not in check mode
  type: list
  elements: dict
  sample: [{name: shop, kept_aside_as: shop_before_20261122t101500, comparison: {verdict: match, rows: 1000000}}]
verdict:
  description: C(match) where everything was compared and is equal, or C(not_compared).
  returned: success, not in check mode
  type: str
  sample: match
warnings:
  description: What did not keep the restore from succeeding, such as a repository that could not be written to.
  returned: success, not in check mode
  type: list
  elements: str
  sample: []
safety_backup:
  description: Id of the backup of what was replaced, or null.
  returned: success, not in check mode
  type: str
  sample: 20261122T101700Z-safety-99fa02
sessions_ended:
  description: How many sessions had to be ended for the swap.
  returned: success, not in check mode
  type: int
  sample: 4
rto:
  description: Seconds that the restore took.
  returned: success, not in check mode
  type: float
  sample: 42.7
rpo:
  description: Age of the backup in seconds, so how much may be lost.
  returned: success, not in check mode
  type: float
  sample: 3600.1
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations.catalogue import parse_instant
from ansible.module_utils.holdfast.operations.restore import restore
from ansible.module_utils.holdfast.operations.restore_plan import RestoreRequest, plan
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run

PLAIN = (
    "backup",
    "mode",
    "database",
    "into",
    "confirm",
    "keep_replaced",
    "safety_backup",
    "compare",
    "analyze",
    "jobs",
)


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(
        backup={"type": "str", "default": "latest_proven"},
        before={"type": "str"},
        mode={"type": "str", "choices": ["new", "in_place", "whole_cluster"], "default": "new"},
        database={"type": "str"},
        into={"type": "str"},
        confirm={"type": "str"},
        keep_replaced={"type": "bool", "default": True},
        safety_backup={"type": "bool", "default": True},
        compare={"type": "bool", "default": True},
        analyze={"type": "bool", "default": True},
        jobs={"type": "int"},
    )


def main() -> None:
    """Restore, or return the plan."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def operation(config: ClusterConfig) -> dict[str, object]:
        before = parse_instant(module.params["before"]) if module.params["before"] else None
        request = RestoreRequest(before=before, **{name: module.params[name] for name in PLAIN})
        if not module.check_mode:
            return restore(config, request, System(), Progress())
        chosen = plan(config, request, System())
        return {"changed": chosen.feasible, "plan": chosen.as_dict()}

    run(module, operation)


if __name__ == "__main__":
    main()
