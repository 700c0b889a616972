# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recover a PostgreSQL cluster from a disaster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_recover
short_description: Recover a PostgreSQL cluster, or one database of it, after a disaster
version_added: "0.1.0"
description:
  - Stops the applications, takes a safety backup if the server still answers, moves the old data aside (a rename; nothing
    is deleted), has the image make a new server in the same volume, restores the backup, compares and checks it, and
    starts the applications again. A single database is restored beside the old one and swapped by renaming.
  - In check mode it says what is broken, what would be lost, how long it takes, and what would be done.
  - What fails before the applications are started puts back what was there. A run that was interrupted is gone on with
    by the next one.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  database:
    description:
      - This database only. The server has to answer for it.
    type: str
  backup:
    description:
      - Id of the backup, or V(latest) for the newest sound one whose files fit their checksums.
    type: str
    default: latest
  fallback:
    description:
      - If a backup cannot be restored, or is not what it should be, try the next older one.
    type: bool
    default: false
  confirm:
    description:
      - Your say-so, the name of the cluster. Not needed in check mode.
    type: str
  rollback:
    description:
      - Put back what was there before the latest recovery; what that restored is put aside in its turn.
    type: bool
    default: false
  safety_backup:
    description:
      - Take a backup of tier C(safety) of what is there. If it cannot be taken, the recovery goes on without.
    type: bool
    default: true
  who:
    description:
      - Who asks for it, for the record. By default the account that runs it.
    type: str
    default: ""
  note:
    description:
      - Kept with the record.
    type: str
    default: ""
  wait:
    description:
      - Seconds to wait for another recovery to end.
    type: float
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and return the assessment and the plan.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Every run recovers, or goes on with a recovery that was interrupted.
    support: none
seealso:
  - module: pg_restore
  - module: pg_verify
"""

EXAMPLES = r"""
- name: See what is broken, and what a recovery would do (with --check)
  pg_recover:
    cluster: shop

- name: Recover the whole cluster from the newest sound backup, or an older one
  pg_recover:
    cluster: shop
    fallback: true
    confirm: shop

- name: Take the recovery back
  pg_recover:
    cluster: shop
    rollback: true
    confirm: shop
"""

RETURN = r"""
recovery:
  description: The record, with C(state), C(backup), C(rto) and C(rpo) in seconds, C(quarantine) or C(kept_aside) with where
      the old data are, and C(next_steps). Where it failed the module fails, and it is in C(details).
  returned: success, not in check mode
  type: dict
  sample: {id: 20261122T030000Z-recover-3f9c1e, state: recovered, rto: 93.1, rpo: 3600.1}
plan:
  description: The C(findings), the C(backups), what would be lost (C(loss)), C(rto) in seconds with its C(rto_source), and the
      C(steps). C(needs_provisioning) says that there is no container to recover into.
  returned: in check mode
  type: dict
  sample: {healthy: false, feasible: true, backup: 20261122T020000Z-daily-3f9c1e, rto: 85.2}
text:
  description: The plan or the result, for people.
  returned: success
  type: str
  sample: "recovery 20261122T030000Z-recover-3f9c1e of the whole cluster of shop: recovered"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations import recover, recover_plan, recover_rollback
from ansible.module_utils.holdfast.operations.recover_plan import RecoverRequest
from ansible.module_utils.holdfast.reporting import show_recover
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run

REQUEST = ("database", "backup", "fallback", "confirm", "safety_backup", "who", "note", "wait")


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(
        database={"type": "str"},
        backup={"type": "str", "default": "latest"},
        fallback={"type": "bool", "default": False},
        confirm={"type": "str"},
        rollback={"type": "bool", "default": False},
        safety_backup={"type": "bool", "default": True},
        who={"type": "str", "default": ""},
        note={"type": "str", "default": ""},
        wait={"type": "float", "default": 0},
    )


def main() -> None:
    """Recover, or return the assessment and the plan."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params

    def roll_back(config: ClusterConfig) -> dict[str, object]:
        if module.check_mode:
            result: dict[str, object] = {"changed": True, "plan": recover_rollback.plan_rollback(config, System())}
        else:
            result = recover_rollback.rollback(config, given["confirm"] or "", given["wait"], System(), Progress())
        return {**result, "text": show_recover.rollback(result)}

    def operation(config: ClusterConfig) -> dict[str, object]:
        if given["rollback"]:
            return roll_back(config)
        request = RecoverRequest(**{name: given[name] for name in REQUEST})
        if module.check_mode:
            chosen = recover_plan.plan(config, request, System())
            result: dict[str, object] = {"changed": chosen.feasible, "plan": chosen.as_dict()}
        else:
            result = recover.recover(config, request, System(), Progress())
        return {**result, "text": show_recover.recover(result)}

    run(module, operation)


if __name__ == "__main__":
    main()
