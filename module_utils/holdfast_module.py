# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules share: the arguments that say which cluster, and one way from the core to a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.holdfast.config import ClusterConfig, cluster_name, load
from ansible.module_utils.holdfast.errors import ConfigError, HoldfastError


def cluster_spec(**more: dict[str, Any]) -> dict[str, Any]:
    """The arguments of every module, and a module's own. Mirrors the fragment ``holdfast.CLUSTER``."""
    return {
        "cluster": {"type": "str", "required": True},
        "config_dir": {"type": "path", "default": "/etc/holdfast"},
        "config": {"type": "dict"},
        **more,
    }


def run(module: AnsibleModule, operation: Callable[[ClusterConfig], dict[str, Any]]) -> None:
    """Load the cluster's configuration, call one operation, and leave the module with its result.

    Every error that the core raises on purpose becomes a failure whose fields say what it knows.
    """
    try:
        result = operation(_configuration(module.params))
    except HoldfastError as error:
        fields = error.as_fields()
        module.fail_json(**fields)
    for warning in result.get("warnings", ()):
        module.warn(warning)
    module.exit_json(**{key: value for key, value in result.items() if key != "warnings"})


def _configuration(params: dict[str, Any]) -> ClusterConfig:
    """The configuration that the task carries, as if it lay in its file already; otherwise the one on the host.

    :raises ConfigError: it is not valid, or it is another cluster's.
    """
    cluster, directory = params["cluster"], params["config_dir"]
    if params["config"] is None:
        return load(cluster, directory)
    path = Path(directory) / f"{cluster_name(cluster)}.json"
    # As it will lie there: what Ansible's own types add to text and numbers is left behind.
    given = ClusterConfig.from_mapping(json.loads(json.dumps(params["config"])), "of the task (config)", path)
    if given.cluster != cluster:
        raise ConfigError(
            "use",
            "the configuration of the task (config)",
            f"it says cluster {given.cluster!r}, and the task says {cluster!r}",
            "Give both the same name.",
        )
    return given
