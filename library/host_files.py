# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have several directories and small files on a host in one go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Have several directories and small files on a host, in one go
version_added: "0.1.0"
description:
  - Does for a list what M(ansible.builtin.file) and M(ansible.builtin.copy) do for one, with one connection to the host
    instead of two for each. Most runs change nothing, and this is what they spend their time on.
  - A reader never sees half a file. The order of the list is kept, so that a directory can come before its files.
  - Everything belongs to the account that runs the module, unless an owner is named.
options:
  files:
    description:
      - What there should be.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      mode:
        description: Its mode, in octal digits.
        type: str
        required: true
      content:
        description: Text of the file. Without it and O(files[].sha256) the path is a directory.
        type: str
      owner:
        description: Name of the account that it belongs to.
        type: str
      group_of:
        description: Name of an account; it belongs to that account's own group.
        type: str
      keep:
        description: Write O(files[].content) only where there is no file yet.
        type: bool
        default: false
      sha256:
        description:
          - SHA-256 of a file that is too large to travel each time. It is compared only; RV(stale) names those that have
            to be brought.
        type: str
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows the texts before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - Holdfast contributors (@holdfast)
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Have the directory and the file
  host_files:
    files:
      - {path: /etc/holdfast, mode: "0755"}
      - {path: /etc/holdfast/shop.json, mode: "0644", content: "{{ configuration | to_nice_json }}"}
"""

RETURN = r"""
written:
  description: Paths that have changed, or would have in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/holdfast/shop.json]
stale:
  description: Paths of files whose SHA-256 is another one, or that are not there.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/holdfast]
"""

import os
import pwd
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

_OPTIONS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "required": True},
    "content": {"type": "str"},
    "owner": {"type": "str"},
    "group_of": {"type": "str"},
    "keep": {"type": "bool", "default": False},
    "sha256": {"type": "str"},
}


def argument_spec() -> dict[str, Any]:
    """The module's arguments."""
    return {"files": {"type": "list", "elements": "dict", "required": True, "options": _OPTIONS}}


def text_of(path: str) -> str | None:
    """The text of a file; None if there is none, or if it is not text."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def write(module: AnsibleModule, path: str, content: str) -> None:
    """Put a file in the place of the old one at once."""
    number, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".holdfast-")
    with open(number, "w", encoding="utf-8", newline="") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    module.atomic_move(beside, path)


def have(module: AnsibleModule, wanted: dict[str, Any], diffs: list[dict[str, str]]) -> bool:
    """See to one file or directory; whether something had to change."""
    path, content = wanted["path"], wanted["content"]
    changed = False
    if content is None and not os.path.isdir(path):
        changed = True
        if not module.check_mode:
            os.makedirs(path, mode=0o755, exist_ok=True)  # another cluster of the machine may be first
    elif content is not None and not (wanted["keep"] and os.path.isfile(path)) and (before := text_of(path)) != content:
        changed = True
        diffs.append({"before_header": path, "after_header": path, "before": before or "", "after": content})
        if not module.check_mode:
            write(module, path, content)
    there = os.path.exists(path)
    if there and stat.S_IMODE(os.stat(path).st_mode) != int(wanted["mode"], 8):
        changed = True
        if not module.check_mode:
            os.chmod(path, int(wanted["mode"], 8))
    if there and (wanted["owner"] or wanted["group_of"]):
        changed |= give(module, wanted)
    return changed


def give(module: AnsibleModule, wanted: dict[str, Any]) -> bool:
    """Have a path belong to an account and a group; whether that had to change."""
    path = wanted["path"]
    now = os.stat(path)
    user = pwd.getpwnam(wanted["owner"]).pw_uid if wanted["owner"] else now.st_uid
    members = pwd.getpwnam(wanted["group_of"]).pw_gid if wanted["group_of"] else now.st_gid
    if (now.st_uid, now.st_gid) == (user, members):
        return False
    if not module.check_mode:
        os.chown(path, user, members)
    return True


def main() -> None:
    """Have the files, or say which would change."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    written: list[str] = []
    stale: list[str] = []
    diffs: list[dict[str, str]] = []
    for wanted in module.params["files"]:
        path = wanted["path"]
        try:
            if wanted["sha256"]:
                if not os.path.isfile(path) or module.sha256(path) != wanted["sha256"]:
                    stale.append(path)
            elif have(module, wanted, diffs):
                written.append(path)
        except (OSError, KeyError, ValueError) as error:
            module.fail_json(msg=f"Cannot write {path}: {error}. Mend that, and run this again.", written=written)
    module.exit_json(changed=bool(written), written=written, stale=stale, diff=diffs)


if __name__ == "__main__":
    main()
