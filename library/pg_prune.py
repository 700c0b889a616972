# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove the backups that retention no longer needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_prune
short_description: Remove the backups of a PostgreSQL cluster that retention no longer needs
version_added: "0.1.0"
description:
  - Decides by the retention rules of the cluster's configuration. By default daily backups are kept 7 days, weekly
    ones 1 month and monthly ones 6 months, by the calendar of an explicit time zone.
  - Never removed are the newest proven backup, the newest sound ones (the floor), pinned ones, those that somebody
    reads, those from the future, and whatever is not Holdfast's.
  - Also removes what backups that died left behind, never what a live one is writing.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  retention:
    description:
      - Rules for this run instead of the configured ones, such as C({"daily":"14 days","minimum":5}). What is not
        given has its default, not its configured value.
    type: dict
attributes:
  check_mode:
    description: Can run in check mode and return the plan of the real run.
    support: full
  diff_mode:
    description: Shows every backup with the reason why it stays or goes.
    support: full
  idempotent:
    description: A second run at the same time removes nothing.
    support: full
seealso:
  - module: pg_backup_info
"""

EXAMPLES = r"""
- name: See what a prune would remove, and why (with --check --diff)
  pg_prune:
    cluster: shop

- name: Prune by other rules
  pg_prune:
    cluster: shop
    retention:
      timezone: Europe/Berlin
      daily: 14 days
      minimum: 5
"""

RETURN = r"""
decisions:
  description: Every backup with C(action) (C(keep) or C(delete)), the C(rule) and the C(reason), oldest first.
  returned: success
  type: list
  elements: dict
  sample: [{id: 20261101T020000Z-daily-aa11bb, action: delete, rule: expired, reason: "expired: daily ended 2026-11-08"}]
delete:
  description: Ids that the plan removes.
  returned: success
  type: list
  elements: str
  sample: [20261101T020000Z-daily-aa11bb]
removed:
  description: Ids that were removed.
  returned: not in check mode
  type: list
  elements: str
  sample: [20261101T020000Z-daily-aa11bb]
left:
  description: Backups that were to go and stayed, because somebody reads them or has pinned them meanwhile.
  returned: not in check mode
  type: list
  elements: dict
  sample: []
stale:
  description: Directories that dead processes left.
  returned: success
  type: list
  elements: str
  sample: [.partial-20261122T101500Z-daily-3f9c1e]
keep:
  description: How many backups stay.
  returned: success
  type: int
  sample: 17
freed:
  description: Bytes that were, or would be, freed.
  returned: success
  type: int
  sample: 48211034
"""

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations import prune
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.repository.retention import RetentionPolicy
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(retention={"type": "dict"})


def main() -> None:
    """Prune, or return the plan."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def operation(config: ClusterConfig) -> dict[str, object]:
        if module.params["retention"] is not None:
            config = replace(config, retention=RetentionPolicy.from_config(module.params["retention"]))
        chosen = prune.plan(config, System())
        if module.check_mode:
            result = {"changed": bool(chosen.retention.delete or chosen.stale), **chosen.as_dict()}
        else:
            result = prune.prune(config, System(), Progress())
        return {**result, "diff": chosen.before_and_after()}

    run(module, operation)


if __name__ == "__main__":
    main()
