# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploy an application so that the database keeps its data, its container and its uptime."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_deploy
short_description: Deploy an application without losing data or requests
version_added: "0.3.0"
description:
  - Updates the services of a compose project that use the database. The database's own container is never recreated,
    stopped or restarted, unless that is asked for by name.
  - The order is guard, backup (tier C(predeploy)), rehearsal of the migrations on a copy that is restored from that
    very backup, migrations, services, health checks, comparison of the server's identity, record. Each step is a gate.
  - Services that can run twice are rolled (new containers are started and healthy before old ones are drained), others
    are recreated, and the gap is measured. When something fails, the very same old containers are put back.
  - The application's migrations are the command in O(settings), or in C(deploy) of the cluster's configuration.
  - The deployment goes on when the connection to the host is lost. The next run says where it stood.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  image:
    description:
      - An image, for those services that use another tag of it (or for O(services)). By default what the compose files say.
      - Where the compose file says another one, it is kept in C(compose.override.yml) beside it.
    type: str
  tag:
    description:
      - A tag, for the services, which must all use one image. Not together with O(image).
    type: str
  services:
    description:
      - Only these services. By default all that differ from the compose files, but never the database.
    type: list
    elements: str
    default: []
  settings:
    description:
      - How services are deployed (the keys of C(deploy) in the cluster's configuration), in the place of those that the
        host has.
    type: dict
  if_older_than:
    description:
      - Take no backup while a proven one is younger than this, such as C(20m). By default one is always taken.
    type: str
  recreate_database:
    description:
      - The name of the cluster, if its database's container may be recreated as the compose files say. A backup is then
        taken and proven first. Without it, a compose file that would recreate the database is refused.
    type: str
  rollback:
    description:
      - Put the old containers back after a deployment that was interrupted, and do nothing else.
    type: bool
    default: false
  who:
    description:
      - Who deploys, for the record. By default the account on the host.
    type: str
    default: ""
  note:
    description:
      - A text that is kept with the record and the backup.
    type: str
    default: ""
  wait:
    description:
      - Seconds to wait for another deployment or backup of this cluster to end, before giving up.
    type: int
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and return the plan of the real run.
    support: full
  diff_mode:
    description: Returns the images before and after.
    support: full
  idempotent:
    description: Does nothing, and takes no backup, where the services run as they should.
    support: full
seealso:
  - module: pg_guard
  - module: pg_backup
  - module: pg_restore
"""

EXAMPLES = r"""
- name: Deploy what the compose file says
  pg_deploy:
    cluster: shop

- name: Deploy a version, with migrations
  pg_deploy:
    cluster: shop
    image: registry.example.org/shop:2026.11
    who: "{{ lookup('ansible.builtin.env', 'CI_JOB_URL') }}"
    settings:
      migrate: {service: web, command: [alembic, upgrade, head]}
      health: {url: "http://127.0.0.1:8080/"}

- name: Put the old containers back after an interrupted deployment
  pg_deploy:
    cluster: shop
    rollback: true
"""

RETURN = r"""
plan:
  description:
    - What would be done, or was. C(action) is C(deploy) or C(none), C(feasible) whether nothing forbids it.
  returned: success, but not after a rollback
  type: dict
  sample:
    project: shop
    action: deploy
    feasible: true
    checks: [{check: data, result: ok, detail: they are on volume shop_postgres_data, next_step: ""}]
    services: [{service: web, action: rolling, from: ["shop:2026.10"], to: "shop:2026.11"}]
    backup: null
    steps: [take a backup (tier predeploy); without one, nothing goes on]
text:
  description: The plan or the record, as people read it.
  returned: success
  type: list
  elements: str
  sample: ["deployment 20261125T101500Z-deploy-3f9c1e of project shop: succeeded"]
rollback:
  description: What a rollback would do.
  returned: in check mode with O(rollback)
  type: dict
  sample: {deployment: 20261125T101500Z-deploy-3f9c1e, project: shop, steps: [start shop-web-1 (shop:2026.10) again]}
deployment:
  description:
    - The record, which lies beside the backups too. Null where nothing was to be done, and in check mode.
    - C(state) is C(succeeded) or, in a failure's C(details.deployment), C(failed) or C(rolled_back). Times are in seconds.
  returned: success
  type: dict
  sample:
    id: 20261125T101500Z-deploy-3f9c1e
    state: succeeded
    who: https://ci.example.org/jobs/4711
    backup: {id: 20261125T101501Z-predeploy-822c37, taken: true, state: proven}
    services: [{service: web, strategy: rolling, state: updated, gap: 0.0}]
    availability: {url: "http://127.0.0.1:8080/", requests: 71, failed: 0, gap: 0.0}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations.backup import parse_age
from ansible.module_utils.holdfast.operations.deploy import deploy
from ansible.module_utils.holdfast.operations.deploy_plan import DeployRequest, plan
from ansible.module_utils.holdfast.operations.deploy_rollback import plan_rollback, rollback
from ansible.module_utils.holdfast.operations.deploy_target import Wanted
from ansible.module_utils.holdfast.reporting import show_deploy
from ansible.module_utils.holdfast.reporting.progress import Progress
from ansible.module_utils.holdfast.services.options import DeployOptions
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(
        image={"type": "str"},
        tag={"type": "str"},
        services={"type": "list", "elements": "str", "default": []},
        settings={"type": "dict"},
        if_older_than={"type": "str"},
        recreate_database={"type": "str"},
        rollback={"type": "bool", "default": False},
        who={"type": "str", "default": ""},
        note={"type": "str", "default": ""},
        wait={"type": "int", "default": 0},
    )


def main() -> None:
    """Deploy, put back, or return the plan of it."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params

    def operation(config: ClusterConfig) -> dict[str, Any]:
        settings = given["settings"]
        options = config.deploy if settings is None else DeployOptions.from_config(settings, "of the task (settings)")
        if given["rollback"]:
            if module.check_mode:
                result: dict[str, Any] = {
                    "changed": True,
                    "rollback": plan_rollback(config, System()),
                    "deployment": None,
                }
            else:
                result = rollback(config, options, given["wait"], System(), Progress())
        else:
            request = DeployRequest(
                wanted=Wanted(given["image"] or None, given["tag"] or None, tuple(given["services"])),
                options=options,
                if_older_than=parse_age(given["if_older_than"]) if given["if_older_than"] else None,
                recreate=given["recreate_database"] or None,
                **{name: given[name] for name in ("who", "note", "wait")},
            )
            if module.check_mode:
                chosen = plan(config, request, System())
                result = {"changed": chosen.needed, "plan": chosen.as_dict(), "deployment": None}
            else:
                result = deploy(config, request, System(), Progress())
            result["diff"] = show_deploy.difference(result["plan"])
        return {**result, "text": show_deploy.deploy(result).splitlines()}

    run(module, operation)


if __name__ == "__main__":
    main()
