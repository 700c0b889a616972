# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small application in a compose project with its database: versions of it that work, and some that do not.

Its images are the database's own with a few lines of shell and Perl, so that they cost nothing to build.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

from holdfast.postgres import throwaway_container as throwaway
from holdfast.services import migration
from tests.support import containers
from tests.support.clusters import Cluster, Run, create
from tests.support.containers import LAB, Container, Engine, wait_until_ready
from tests.support.servers import Server

IMAGE = "holdfast-lab/test-app"
PASSWORD = "the app's own"
DEPLOY_FAILED = 13
REFUSED = 7

_ENTRY = """#!/bin/sh
[ -z "$DELAY" ] || sleep "$DELAY"
case "$MODE" in
    crashes) echo "error: cannot start, a setting is missing" >&2; exit 3 ;;
    unhealthy) ;;
    *) touch /tmp/healthy ;;
esac
exec perl -MIO::Socket::INET -e '
    $SIG{TERM} = sub { exit 0 };
    $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 64, ReuseAddr => 1) or die "cannot listen";
    while (1) {
        $client = $server->accept or next;
        while (($line = <$client>) && $line =~ /\\S/) {}
        print $client "HTTP/1.0 $ENV{STATUS} told\\r\\nContent-Length: 0\\r\\n\\r\\n";
        close $client;
    }'
"""
_MIGRATE = """#!/bin/sh
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --command "$MIGRATION"
"""
_DOCKERFILE = f"""FROM {containers.IMAGE}
COPY app migrate /usr/local/bin/
ENV MODE=works STATUS=200 MIGRATION="SELECT 1"
ENTRYPOINT []
CMD ["app"]
LABEL {LAB}
"""
#: What tells the versions from each other: how they run, and what their migrations do.
VERSIONS: dict[str, dict[str, str]] = {
    "1": {},
    "2": {"MIGRATION": "ALTER TABLE orders ADD COLUMN IF NOT EXISTS channel text NOT NULL DEFAULT 'web'"},
    "3": {"MIGRATION": "SELECT 1", "VERSION": "3"},
    "slow": {"DELAY": "2"},
    "unhealthy": {"MODE": "unhealthy"},
    "crashes": {"MODE": "crashes"},
    "sick": {"STATUS": "500"},
    "bad-migration": {"MIGRATION": "ALTER TABLE orders ADD COLUMN gone int; ALTER TABLE orders ADD CHECK (id < 5)"},
    "rewrites": {"MIGRATION": "SET lock_timeout = 0; ALTER TABLE orders ALTER COLUMN item TYPE text USING item || ''"},
    "deletes": {"MIGRATION": "DELETE FROM ledger"},
}


def build(engine: Engine) -> None:
    """Have the images of all versions."""
    with tempfile.TemporaryDirectory(prefix="holdfast-test-app-") as directory:
        context = Path(directory)
        (context / "app").write_text(_ENTRY)
        (context / "migrate").write_text(_MIGRATE)
        for path in (context / "app", context / "migrate"):
            path.chmod(0o755)
        for tag, env in VERSIONS.items():
            told = "".join(f"ENV {key}={json.dumps(value)}\n" for key, value in env.items())
            file = _DOCKERFILE + told
            (context / "Dockerfile").write_text(file)
            engine.ask("build", "--quiet", "--tag", f"{IMAGE}:{tag}", str(context))


@dataclass(frozen=True)
class Application:
    """A project with a database and a service that uses it.

    :param compose: compose as this machine has it.
    """

    engine: Engine
    compose: tuple[str, ...]
    name: str
    directory: Path
    cluster: Cluster

    @property
    def file(self) -> Path:
        return self.directory / "compose.yml"

    @property
    def override(self) -> Path:
        return self.directory / "compose.override.yml"

    @property
    def database(self) -> Container:
        (found,) = self.containers("db")
        return Container(self.engine, found["Id"])

    @property
    def server(self) -> Server:
        return AppServer(**{**self.database.server.__dict__, "user": "shop"})

    def write(self, web: Mapping[str, Any] | None = None, **services: Mapping[str, Any]) -> None:
        """Write the compose file; `web` changes that service, `db` the database, others are added."""
        changed: dict[str, Any] = {name: dict(facts) for name, facts in _SERVICES.items()}
        for name, facts in {"web": web or {}, **services}.items():
            changed[name] = {
                key: value for key, value in {**changed.get(name, {}), **facts}.items() if value is not None
            }
        project = {"services": changed, "volumes": {"postgres_data": {"labels": {"holdfast.lab": "1"}}}}
        self.file.write_text(yaml.safe_dump(project))

    def run(self, *arguments: str) -> str:
        """Compose, as a person calls it in the project's directory."""
        done = subprocess.run(
            [*self.compose, "--project-name", self.name, *arguments],
            cwd=self.directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine says of the containers of a service, running or not."""
        labels = {"project": self.name, "service": service, "oneoff": "False"}
        filters = [
            part for key, value in labels.items() for part in ("--filter", f"label=com.docker.compose.{key}={value}")
        ]
        found = self.engine.ask("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        facts: list[dict[str, Any]] = json.loads(self.engine.ask("container", "inspect", *found)) if found else []
        return facts

    def running(self, service: str = "web") -> list[tuple[str, str]]:
        """Ids and tags of the containers of a service that run."""
        facts = [one for one in self.containers(service) if one["State"]["Running"]]
        return sorted((one["Id"], one["Config"]["Image"].rpartition(":")[2]) for one in facts)

    def tags(self, service: str = "web") -> list[str]:
        """The tags of all containers of a service, running or not."""
        return sorted(one["Config"]["Image"].rpartition(":")[2] for one in self.containers(service))

    def reset(self) -> None:
        """One container of version 1 of every service, as the usual file says, and no deployment on record."""
        self.override.unlink(missing_ok=True)
        (self.directory / "holdfast.images.yml").unlink(missing_ok=True)
        for facts in [one for name in ("web", "worker") for one in self.containers(name)]:
            self.engine.ask("rm", "--force", "--volumes", facts["Id"])
        self.write()
        self.run("up", "--detach", "--no-deps", "--no-recreate", "web")
        for path in (self.cluster.repository / "deployments").glob("*"):
            path.unlink()
        self.cluster.configure(deploy=None)
        self.deploy_options()
        self.query("ALTER TABLE orders DROP COLUMN IF EXISTS channel")

    def deploy_options(self, **options: Any) -> None:
        """Have these besides the usual ones, which are quick."""
        migrate = {"service": "web", "command": ["migrate"], "lock_timeout": 2}
        usual = {"settle": 1, "start_timeout": 20, "migrate": migrate, "health": {"timeout": 3}}
        self.cluster.configure(deploy={**usual, **options})

    def deploy(self, *arguments: str, **named: Any) -> Run:
        """Runs `holdfast deploy --json`."""
        return self.cluster.holdfast("deploy", "--json", *arguments, **named)

    def record(self, number: int = -1) -> dict[str, Any]:
        """The record of a deployment as it lies beside the backups; by default of the last one."""
        paths = sorted((self.cluster.repository / "deployments").glob("*.json"))
        record: dict[str, Any] = json.loads(paths[number].read_text())
        return record

    def assert_nothing_left(self) -> None:
        """No throwaway server, no migration and no tool is left of what was done."""
        # Of this repository: what a test of another one has left is that one's failure.
        own = json.loads((self.cluster.repository / "holdfast-repository.json").read_text())["id"]
        left = []
        for label, value in ((throwaway.LABEL, own), (migration.LABEL, "")):
            of = ["--filter", f"label={label}"]
            found = self.engine.ask("ps", "--all", "--format", "{{.Names}} {{.Status}} {{.Labels}}", *of).splitlines()
            found += self.engine.ask("volume", "ls", "--format", "{{.Name}} {{.Labels}}", *of).splitlines()
            left += [line for line in found if value in line]
        assert left == []
        assert self.database.tools() == []

    def image(self, tag: str) -> tuple[str, str]:
        """The arguments that deploy a version."""
        return "--image", f"{IMAGE}:{tag}"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.query(sql, "shop")


class AppServer(containers.ContainerServer):
    """The database, by its superuser."""

    def connect(self, dbname: str = "shop", **parameters: Any) -> psycopg.Connection[Any]:
        return super().connect(dbname, **{"user": "shop", "password": PASSWORD, **parameters})


_SERVICES: dict[str, dict[str, Any]] = {
    "db": {
        "image": containers.IMAGE,
        "environment": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": PASSWORD},
        "volumes": ["postgres_data:/var/lib/postgresql/data"],
        "labels": {"holdfast.lab": "1"},
        "restart": "unless-stopped",
    },
    "web": {
        "image": f"{IMAGE}:1",
        "init": True,
        "environment": {"PGHOST": "db", "PGUSER": "shop", "PGPASSWORD": PASSWORD},
        "labels": {"holdfast.lab": "1"},
        "depends_on": ["db"],
        "stop_grace_period": "5s",
        "healthcheck": {"test": ["CMD", "test", "-f", "/tmp/healthy"], "interval": "1s", "retries": 4},
    },
}


@contextmanager
def running(engine: Engine, compose: tuple[str, ...], directory: Path, name: str) -> Iterator[Application]:
    """A running project, and a cluster with its repository; all of it is gone afterwards."""
    project = directory / "project"
    project.mkdir()
    server = containers.ContainerServer(
        directory=Path("/nonexistent"), bin_dir=Path("/nonexistent"), socket_dir=Path("/nonexistent"), port=5432,
        version="17", password=PASSWORD,
    )  # fmt: skip
    cluster = create(server, directory, "shop", backup={"jobs": 2})
    access = {"kind": "container", "project": name, "service": "db", "user": "shop"}
    cluster.config_file.write_text(json.dumps({**cluster.config(), "access": access}))
    application = Application(engine, compose, name, project, cluster)
    application.write()
    try:
        application.run("up", "--detach")
        wait_until_ready(application.database)
        application.query(
            "CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS item FROM generate_series(1, 2000) i;"
            "CREATE TABLE ledger AS SELECT i AS id, i * 2 AS amount FROM generate_series(1, 500) i"
        )
        yield application
    finally:
        application.write()
        application.run("down", "--volumes", "--remove-orphans")
