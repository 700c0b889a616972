# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say what cron or systemd has to be told, so that a cluster's schedule is kept on this host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_schedule
short_description: Say what cron or systemd has to be told to keep the schedule of a PostgreSQL cluster
version_added: "0.2.0"
description:
  - Turns the schedule in the cluster's configuration (C(schedule)) into the words of cron, in the time zone of this
    host, or of systemd. The role C(schedule) writes them.
  - Fails if the schedule can never be met, as far as the last backup and the last drill tell. One takes longer than
    the time between two of them, or than the limit at which it would be ended.
  - Changes nothing.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  unit_dir:
    description: Where systemd looks for units.
    type: path
    default: /etc/systemd/system
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - module: pg_backup
  - module: pg_verify
"""

EXAMPLES = r"""
- name: Ask when the runs of a cluster are to be started here
  pg_schedule:
    cluster: shop
  register: shop_schedule
"""

RETURN = r"""
backend:
  description: Who is to start the runs, C(cron), C(systemd) or C(none).
  returned: success
  type: str
  sample: cron
cron:
  description: The lines of a file for cron. Empty if another one starts the runs.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What it is for, a job of the schedule, C(catch-up), C(boot) or C(metrics).
      type: str
    time:
      description: When, in the words of C(crontab(5)).
      type: str
  sample: [{name: daily, time: "47 2 * * *"}, {name: boot, time: "@reboot"}]
cron_file:
  description: Name of the cluster's file in C(/etc/cron.d).
  returned: success
  type: str
  sample: holdfast-shop
cron_dir:
  description: Where that file belongs.
  returned: success
  type: str
  sample: /etc/cron.d
left:
  description: What another backend has left on this host, and nobody wants any more.
  returned: success
  type: list
  elements: str
  sample: []
alive:
  description: Whether the one who starts the runs is alive. Null if there is no schedule.
  returned: success
  type: bool
  sample: true
calendar:
  description: Values of C(OnCalendar) of a timer that starts the runs. Empty if another one does.
  returned: success
  type: list
  elements: str
  sample: ["*-*-* 02:47:00 Europe/Berlin", "*-*-* *:17:00"]
unit:
  description: Name of the timer and of its service, without what is behind the dot.
  returned: success
  type: str
  sample: holdfast-shop
metrics_minutes:
  description: Minutes between two writings of the metrics, or null if none are written.
  returned: success
  type: int
  sample: 5
state_dir:
  description: Where the runs of this cluster remember what came of them.
  returned: success
  type: str
  sample: /var/lib/holdfast/shop
limit_minutes:
  description: After this time a run has ended in any case.
  returned: success
  type: int
  sample: 1530
nice:
  description: The nice value of the runs.
  returned: success
  type: int
  sample: 10
io_class:
  description: Their class of input and output.
  returned: success
  type: str
  sample: best-effort
checks:
  description: Whether the schedule can be met. When the module fails, they are in C(details).
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
      description: What to do about it.
      type: str
  sample: [{check: schedule, result: ok, detail: it can be met, next_step: ""}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations import schedule
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(unit_dir={"type": "path", "default": "/etc/systemd/system"})


def main() -> None:
    """Ask, and fail if the schedule cannot be met."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)

    def operation(config: ClusterConfig) -> dict[str, object]:
        return {"changed": False, **schedule.lines(config, module.params["unit_dir"], System())}

    run(module, operation)


if __name__ == "__main__":
    main()
