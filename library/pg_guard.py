# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See whether a cluster's data are where, and as, they should be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_guard
short_description: See whether the data of a PostgreSQL cluster are where they should be
version_added: "0.2.0"
description:
  - Looks at what is real, not at what is configured, where the data directory of the running server, its WAL and its
    tablespaces lie, down to the mount.
  - Fails, with the reason and what to do, if they lie on an anonymous volume, in the container's own layer, in memory,
    or on another volume than the one that is expected; if the volume is labelled for another cluster, used by another
    container or of another version; if checksums, C(fsync) or C(full_page_writes) are off or the rules of sorting have
    changed, by the policy in the cluster's configuration (C(guard)); if the compose files have changed so that compose
    would recreate the database or give it other data.
  - Takes an identity of the server, and compares with one that was taken before, to show that it was not restarted.
  - Changes nothing.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  compose:
    description:
      - A compose file that is about to be written and used, to be judged before it is. What a change of the settings
        would mend (the server does not let the account in yet, C(fsync) is off) is then a warning.
      - A container that Holdfast did not make (it has no label C(io.holdfast.cluster)) is adopted, and the file is
        not for it. It is then ignored, and the container's own files are judged.
      - Without an engine on the host there is nothing to lose. The action is then C(create).
    type: dict
    suboptions:
      content:
        description: The file, as YAML.
        type: str
        required: true
      project:
        description: Name of the compose project.
        type: str
        required: true
      service:
        description: The database's service in it.
        type: str
        required: true
      directory:
        description: The project's directory, which may not exist yet.
        type: path
        required: true
      volume:
        description: Name of the volume that the data are to lie on.
        type: str
        required: true
      recreate:
        description: Whether the database's container may be recreated.
        type: bool
        default: false
  identity:
    description:
      - An identity that this module took before (its result RV(identity)). If the server is another one now, or was
        restarted since then, the module fails.
    type: dict
  before_a_change:
    description:
      - The look comes before somebody mends the cluster. What that may well mend (the server cannot be asked yet, a
        setting is off) is a warning; where the data lie is not. O(compose) implies it.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
  diff_mode:
    description: Returns what has changed.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - module: pg_backup
"""

EXAMPLES = r"""
- name: See that the data are where they should be
  pg_guard:
    cluster: shop
  register: before

- name: See that the server was not restarted meanwhile
  pg_guard:
    cluster: shop
    identity: "{{ before.identity }}"

- name: Judge a compose file before it is used
  pg_guard:
    cluster: shop
    compose:
      content: "{{ lookup('ansible.builtin.template', 'compose.yml.j2') }}"
      project: shop
      service: db
      directory: /opt/shop
      volume: shop_postgres_data
  register: planned
"""

RETURN = r"""
verdict:
  description: The worst result of all checks, C(ok), C(warning) or C(error).
  returned: success
  type: str
  sample: ok
checks:
  description: What was looked at. When the module fails, this and all the rest is in C(details).
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: What was looked at.
      type: str
    result:
      description: C(ok), C(warning) or C(error).
      type: str
    detail:
      description: What was found.
      type: str
    next_step:
      description: What to do about it. Empty if nothing is to be done.
      type: str
  sample:
    - check: data
      result: ok
      detail: the data directory /var/lib/postgresql/data lies on volume shop_postgres_data
      next_step: ""
identity:
  description: What tells this server from another one, and from itself after a restart. Null if there is none.
  returned: success
  type: dict
  sample:
    engine: docker
    container: 3f1b0d3c1c0e
    image: sha256:1770cc44a6df
    started_at: "2026-11-22T10:15:00.123456789Z"
    system_identifier: "7441234567890123456"
    volume: shop_postgres_data
    data_directory: /var/lib/postgresql/data
compose:
  description:
    - What compose would do (C(action), one of C(none), C(create), C(start) and C(recreate)), the C(reasons), whether
      that would give it other data (C(moves_data)), and whether the container is C(adopted) (made by somebody else) or
      C(managed) (made by Holdfast). Null without containers.
  returned: success
  type: dict
  sample: {action: none, reasons: [], moves_data: false, adopted: false, managed: true}
server:
  description: Whether the server C(exists), is C(running), its C(superuser) and its container's C(image).
  returned: success
  type: dict
  sample: {exists: true, running: true, superuser: postgres, image: "postgres:17"}
volume:
  description: The volume that holds, or is to hold, the data. Null if it is not known.
  returned: success
  type: dict
  sample:
    name: shop_postgres_data
    exists: true
    labels: {io.holdfast.cluster: shop}
    mountpoint: /var/lib/docker/volumes/shop_postgres_data/_data
    data_path: /var/lib/docker/volumes/shop_postgres_data/_data
    pg_version: 17
    used_by: []
engine:
  description: Whether the container engine is C(present), and the C(compose) that it has, as an argument list.
  returned: success
  type: dict
  sample: {present: true, compose: [docker, compose]}
memory_mb:
  description: Memory of the host in MiB.
  returned: success
  type: int
  sample: 7961
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations.guard import guard
from ansible.module_utils.holdfast.operations.guard_survey import GuardRequest
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    text = {"type": "str", "required": True}
    candidate = {
        "content": text,
        "project": text,
        "service": text,
        "directory": {"type": "path", "required": True},
        "volume": text,
        "recreate": {"type": "bool", "default": False},
    }
    return cluster_spec(
        compose={"type": "dict", "options": candidate},
        identity={"type": "dict"},
        before_a_change={"type": "bool", "default": False},
    )


def main() -> None:
    """Look, and fail if something is wrong."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = {name: module.params[name] for name in ("identity", "before_a_change")}

    def operation(config: ClusterConfig) -> dict[str, object]:
        return guard(config, GuardRequest.from_arguments(module.params["compose"], **given), System())

    run(module, operation)


if __name__ == "__main__":
    main()
