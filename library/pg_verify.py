# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prove that backups of a PostgreSQL cluster restore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_verify
short_description: Prove that a backup restores, by a drill with evidence
version_added: "0.1.0"
description:
  - Restores a backup into a throwaway server (the same image without a network, or the same programs with a data
    directory of its own), and looks at what came of it from all sides. Checksums, restore without any SQL error,
    fingerprint, amcheck, constraints, views and functions, sequences, extensions, collations, your own SQL checks, and
    your smoke command, each with a verdict and a time.
  - Writes the evidence beside the backups, as JSON and as a page, and marks the backup C(proven) or C(failed).
  - The throwaway is always removed; what a killed drill left, the next one removes.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  backup:
    description:
      - Id of the backup, or V(newest_unproven) for the newest that is not proven (where all are, the one that no drill
        has looked at for the longest time), or V(latest) for the newest, proven or not.
    type: str
    default: newest_unproven
  sample:
    description:
      - Instead of O(backup), so many backups that no drill has looked at for the longest time.
    type: int
  settings:
    description:
      - In the place of the C(verify) settings that the host has; see the configuration reference.
    type: dict
  who:
    description:
      - Who asks for it, for the evidence. By default the account that runs it.
    type: str
    default: ""
  note:
    description:
      - Kept with the evidence.
    type: str
    default: ""
  wait:
    description:
      - Seconds to wait for another drill to end.
    type: float
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and return the plan, with everything that was looked at.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Every run carries out a drill.
    support: none
seealso:
  - module: pg_backup
  - module: pg_restore
"""

EXAMPLES = r"""
- name: Prove the newest backup that is not proven yet
  pg_verify:
    cluster: shop

- name: Look again at the three that were not looked at for the longest time
  pg_verify:
    cluster: shop
    sample: 3
    note: quarterly review
"""

RETURN = r"""
drills:
  description: The evidence of each drill, with C(verdict) (C(passed) or C(failed)), C(proven), C(checks), C(rto) and
      C(rpo) in seconds. Where one failed the module fails, and they are in C(details).
  returned: success, not in check mode
  type: list
  elements: dict
  sample: [{id: 20261122T110000Z-drill-3f9c1e, verdict: passed, proven: true, rto: 42.7, rpo: 3600.1}]
plan:
  description: The backups with the reason for each, what was looked at, and the steps. C(feasible) is false where a
      check found an error.
  returned: in check mode
  type: dict
  sample: {feasible: true, backups: [{id: 20261122T101500Z-daily-3f9c1e, why: the newest that is not proven}]}
text:
  description: The plan or the result, for people.
  returned: success
  type: str
  sample: "drill 20261122T110000Z-drill-3f9c1e of backup 20261122T101500Z-daily-3f9c1e: proven"
"""

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.config_verify import VerifyOptions
from ansible.module_utils.holdfast.operations.verify import verify
from ansible.module_utils.holdfast.operations.verify_plan import VerifyRequest, plan
from ansible.module_utils.holdfast.reporting import show_verify
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(
        backup={"type": "str", "default": "newest_unproven"},
        sample={"type": "int"},
        settings={"type": "dict"},
        who={"type": "str", "default": ""},
        note={"type": "str", "default": ""},
        wait={"type": "float", "default": 0},
    )


def main() -> None:
    """Carry out drills, or return the plan."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params

    def operation(config: ClusterConfig) -> dict[str, object]:
        if given["settings"] is not None:
            config = replace(config, verify=VerifyOptions.from_config(given["settings"], "of the task (settings)"))
        request = VerifyRequest(given["backup"], given["sample"], given["who"], given["note"], given["wait"])
        if module.check_mode:
            chosen = plan(config, request, System())
            result: dict[str, object] = {"changed": chosen.feasible, "plan": chosen.as_dict()}
        else:
            result = verify(config, request, System(), Progress())
        return {**result, "text": show_verify.verify(result)}

    run(module, operation)


if __name__ == "__main__":
    main()
