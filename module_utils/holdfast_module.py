# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules share: the arguments that say which cluster, and one way from the core to a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig, load
from ansible.module_utils.holdfast.errors import HoldfastError


def cluster_spec(**more: dict[str, Any]) -> dict[str, Any]:
    """The arguments of every module, and a module's own. Mirrors the fragment ``holdfast.CLUSTER``."""
    return {
        "cluster": {"type": "str", "required": True},
        "config_dir": {"type": "path", "default": "/etc/holdfast"},
        **more,
    }


def run(module: AnsibleModule, operation: Callable[[ClusterConfig], dict[str, Any]]) -> None:
    """Load the cluster's configuration, call one operation, and leave the module with its result.

    Every error that the core raises on purpose becomes a failure whose fields say what it knows.
    """
    try:
        result = operation(load(module.params["cluster"], module.params["config_dir"]))
    except HoldfastError as error:
        fields = error.as_fields()
        module.fail_json(**fields)
    module.exit_json(**result)
