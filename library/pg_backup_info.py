# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""List the backups of a PostgreSQL cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_info
short_description: List the backups of a PostgreSQL cluster, and check them
version_added: "0.1.0"
description:
  - Returns every backup of the catalogue with its tier, age, size and state, newest first.
  - The server need not run.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  ids:
    description:
      - Only these backups, each in full, with the rows, sizes and digests of its databases.
    type: list
    elements: str
  check:
    description:
      - Check every file of the backups against its checksum first. Reads all of them.
      - A backup that fails is C(corrupt) from then on, in the catalogue too.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing of the backups, so it runs the same in check mode.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Returns the same for the same repository, but for the age.
    support: full
seealso:
  - module: pg_backup
"""

EXAMPLES = r"""
- name: List the backups
  pg_backup_info:
    cluster: shop
  register: catalogue

- name: See that the newest one is younger than a day
  ansible.builtin.assert:
    that: catalogue.backups[0].age < 86400

- name: Check the checksums of all of them
  pg_backup_info:
    cluster: shop
    check: true
"""

RETURN = r"""
backups:
  description:
    - The backups, newest first. C(state) is one of C(complete), C(proven), C(failed), C(corrupt); C(pinned) stands beside it.
    - Sizes are in bytes, ages in seconds.
  returned: success
  type: list
  elements: dict
  sample: [{id: 20261122T101500Z-daily-3f9c1e, tiers: [daily], method: logical, age: 3600.5, size: 48211034, state: proven, pinned: false}]
latest:
  description: Id of the newest sound backup, or null.
  returned: success
  type: str
  sample: 20261122T101500Z-daily-3f9c1e
latest_proven:
  description: Id of the newest backup that a restore has proved, or null.
  returned: success
  type: str
  sample: 20261122T101500Z-daily-3f9c1e
repository:
  description: Directory of the repository.
  returned: success
  type: str
  sample: /var/backups/holdfast/shop
unrecognised:
  description: Names among the backups that are not Holdfast's. They are never touched.
  returned: success
  type: list
  elements: str
  sample: []
checked:
  description: For each backup that was checked, the problems that were found.
  returned: when O(check) is true
  type: dict
  sample: {20261122T101500Z-daily-3f9c1e: []}
corrupt:
  description: Ids of the backups whose check found a problem.
  returned: when O(check) is true
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations import catalogue
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(ids={"type": "list", "elements": "str"}, check={"type": "bool", "default": False})


def main() -> None:
    """List the backups."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def operation(config: ClusterConfig) -> dict[str, object]:
        ids = module.params["ids"] or []
        checked = catalogue.check(config, System(), Progress(), ids) if module.params["check"] else {}
        return {"changed": False, **checked, **catalogue.catalogue(config, System(), ids)}

    run(module, operation)


if __name__ == "__main__":
    main()
