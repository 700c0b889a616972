# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""See to it that an account for backups or monitoring exists, with the rights that suffice."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_account
short_description: Make the account that backs a PostgreSQL cluster up, or that monitors it
version_added: "0.1.0"
description:
  - Makes sure that an account exists with the attributes, memberships and settings of its purpose, and no other ones.
    Settings that somebody gave it besides are left alone, and so is what it was granted on objects.
  - The password never leaves the host. What the server keeps is compared with it there, and a new SCRAM verifier is
    computed there, so that no password is in the log of the server, whatever its C(password_encryption) is.
  - An account that is a superuser or owns anything is refused, because it does something else.
  - A database whose C(CONNECT) was revoked from C(PUBLIC) is named in a warning. Nothing is granted on it, because
    somebody decided that.
extends_documentation_fragment:
  - holdfast
  - holdfast.cluster
options:
  name:
    description:
      - Name of the account.
    type: str
    required: true
  purpose:
    description:
      - What it is for.
      - V(backup) may log in, replicate (C(pg_basebackup)) and read all rows (C(BYPASSRLS)), and is a member of
        C(pg_read_all_data) and C(pg_monitor). With C(lo_compat_privileges) it reads the large objects of
        others. That setting lets it change them too, so keep its password as you would keep the data.
      - As it is no superuser, C(pg_dump) leaves out subscriptions, and the options of the user mappings of others.
        Where these matter, back up as a superuser.
      - V(monitoring) may log in with 5 sessions at once, and is a member of C(pg_monitor).
    type: str
    required: true
    choices: [backup, monitoring]
  password:
    description:
      - Its password, from a vault for example.
      - Without it and O(password_file) the account has the password that it had before, if any. That is enough where
        the server knows it otherwise (C(peer), C(trust), a certificate).
    type: str
  password_file:
    description:
      - Absolute path of a file on the host that holds the password and nothing else.
      - Where it does not exist, a strong password is generated once, written durably (mode 0600, in a directory of
        mode 0700) and kept. With O(password) the file is made to hold that.
    type: path
  login_user:
    description:
      - The account that makes it. It must be a superuser, or be able to grant all of the rights and to read C(pg_authid).
      - By default C(restore_user) of the cluster's access, or else its C(user).
    type: str
  state:
    description:
      - V(present) is all that there is. Accounts are dropped by people.
    type: str
    choices: [present]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and return the steps of the real run.
    support: full
  diff_mode:
    description: Shows the rights before and after, and never a password.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
seealso:
  - module: pg_backup
"""

EXAMPLES = r"""
- name: Make the account that takes the backups, and generate its password once
  pg_account:
    cluster: shop
    name: holdfast_backup
    purpose: backup
    password_file: /etc/holdfast/secrets/shop/holdfast_backup
    login_user: postgres

- name: Make the account of the monitoring, with a password from the vault
  pg_account:
    cluster: shop
    name: holdfast_monitoring
    purpose: monitoring
    password: "{{ vault_monitoring_password }}"
    login_user: postgres
"""

RETURN = r"""
name:
  description: Name of the account.
  returned: success
  type: str
  sample: holdfast_backup
purpose:
  description: What it is for.
  returned: success
  type: str
  sample: backup
password_file:
  description: The file on the host that holds its password, or null.
  returned: success
  type: str
  sample: /etc/holdfast/secrets/shop/holdfast_backup
steps:
  description: What was done, or would be done, in order. Empty where nothing had to be done.
  returned: success
  type: list
  elements: str
  sample: ["create role holdfast_backup: LOGIN, INHERIT, REPLICATION, BYPASSRLS, password", grant pg_read_all_data to holdfast_backup]
before:
  description: The account as it was, with C(exists), C(attributes), C(member_of), C(connection_limit) and C(settings).
  returned: success
  type: dict
  sample: {exists: false}
after:
  description: The account as it is now, or would be, in the same form.
  returned: success
  type: dict
  sample: {exists: true, attributes: [INHERIT, LOGIN], member_of: [pg_monitor], connection_limit: 5, settings: {}}
warnings:
  description: What keeps it from its work although its rights are right, such as a database that it may not connect to.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig
from ansible.module_utils.holdfast.operations import accounts
from ansible.module_utils.holdfast.system import System
from ansible.module_utils.holdfast_module import cluster_spec, run


def argument_spec() -> dict[str, object]:
    """The module's arguments."""
    return cluster_spec(
        name={"type": "str", "required": True},
        purpose={"type": "str", "required": True, "choices": ["backup", "monitoring"]},
        password={"type": "str", "no_log": True},
        # A path is no secret, though its name sounds like one.
        password_file={"type": "path", "no_log": False},
        login_user={"type": "str"},
        state={"type": "str", "choices": ["present"], "default": "present"},
    )


def main() -> None:
    """Make the account, or say what would be done."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    wanted = ("name", "purpose", "password", "password_file", "login_user")
    request = accounts.AccountRequest(**{name: module.params[name] for name in wanted})

    def operation(config: ClusterConfig) -> dict[str, object]:
        act = accounts.plan if module.check_mode else accounts.ensure
        chosen = act(config, request, System()).as_dict()
        return {**chosen, "diff": {"before": chosen["before"], "after": chosen["after"]}}

    run(module, operation)


if __name__ == "__main__":
    main()
