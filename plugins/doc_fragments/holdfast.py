# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments: C(holdfast) for what every module has, C(holdfast.CLUSTER) for its common arguments."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - Python 3.9 or later on the host
  - psycopg 3.1 or later on the host, for everything that talks to the server
  - the client programs of the server's own version (a container's image has them)
author:
  - Holdfast contributors (@holdfast)
notes:
  - The module runs on the host of the cluster and reads the file that the role C(agent) writes there.
"""

    CLUSTER = r"""
options:
  cluster:
    description:
      - Name of the cluster. Its configuration is C(<config_dir>/<cluster>.json) on the host.
    type: str
    required: true
  config_dir:
    description:
      - Directory on the host that holds the configurations of its clusters.
    type: path
    default: /etc/holdfast
  config:
    description:
      - The configuration itself, with the keys of that file, used instead of it.
      - For roles, which have to act before the file is there, and to try a configuration before it takes the place of
        the old one.
    type: dict
"""
