# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the repository of a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_repository
short_description: Make the repository that holds the backups of a PostgreSQL cluster
version_added: "0.1.0"
description:
  - Makes an empty repository in the directory that the cluster's configuration names, once.
  - The host remembers which repository it made. When that is gone later, because its disk is not mounted,
    the module fails instead of making a new, empty one on the mount point.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
attributes:
  check_mode:
    description: Can run in check mode and say what would be made.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Makes a repository only where there is none.
    support: full
seealso:
  - module: pg_backup
"""

EXAMPLES = r"""
- name: Make the repository
  pg_repository:
    cluster: shop
"""

RETURN = r"""
repository:
  description: Directory of the repository.
  returned: success
  type: str
  sample: /var/backups/holdfast/shop
repository_id:
  description: What tells this repository from others. Empty in check mode when there is none yet.
  returned: success
  type: str
  sample: 6f1c0e6fb0c54e2c8a9d8f2f2c0d7a11
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations.context import initialise, open_repository, remembered_id
from ansible.module_utils.holdfast.repository.marker import MARKER
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec()


def main() -> None:
    """Make the repository, or say that it would be made."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def operation(config: ClusterConfig) -> dict[str, object]:
        if not module.check_mode:
            repository, made = initialise(config, System())
            return {"changed": made, "repository": str(repository.path), "repository_id": repository.uuid}
        if remembered_id(config) is None and not (config.repository / MARKER).exists():
            return {"changed": True, "repository": str(config.repository), "repository_id": ""}
        repository = open_repository(config)
        return {"changed": False, "repository": str(repository.path), "repository_id": repository.uuid}

    run(module, operation)


if __name__ == "__main__":
    main()
