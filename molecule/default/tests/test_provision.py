"""What site.yml has made of bare machines."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.support.hosts import Cluster


def volume_of(cluster: Cluster) -> dict[str, Any]:
    """What the engine says of the volume."""
    (volume,) = json.loads(cluster.host.check_output(f"docker volume inspect {cluster.project}_postgres_data"))
    return dict(volume)


def test_the_volume_is_labelled_and_no_part_of_the_project(cluster: Cluster) -> None:
    """But for the one cluster that says so in the inventory."""
    labels = volume_of(cluster)["Labels"]
    assert labels.pop("io.holdfast.cluster") == cluster.name
    project = {"com.docker.compose.project": "stock"} if cluster.name == "stock" else {}
    assert project.items() <= labels.items()
    assert bool(labels) == bool(project)


def test_the_volume_has_the_options_of_the_inventory(cluster: Cluster) -> None:
    device = "/data/ledger"
    wanted = {"type": "none", "o": "bind", "device": device} if cluster.name == "ledger" else None
    assert (volume_of(cluster)["Options"] or None) == wanted
    if wanted:
        assert cluster.host.file(f"{device}/18/docker/PG_VERSION").content_string.strip() == "18"


def test_the_data_are_in_the_volume_and_nowhere_else(cluster: Cluster) -> None:
    target = "/var/lib/postgresql" if cluster.major >= 18 else "/var/lib/postgresql/data"
    mounts = {mount["Destination"]: mount for mount in cluster.facts()["Mounts"]}
    assert mounts[target]["Name"] == f"{cluster.project}_postgres_data"
    assert not [mount for mount in mounts.values() if len(mount.get("Name") or "") == 64], "an anonymous volume"
    assert cluster.query("SHOW data_directory").startswith(target)


def test_the_container_is_kept_as_a_database_should_be(cluster: Cluster) -> None:
    facts = cluster.facts()
    assert facts["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert facts["Config"]["StopTimeout"] == 300, "time for the checkpoint of a clean shutdown"
    assert facts["HostConfig"]["ShmSize"] == 1 << 30
    assert facts["State"]["Health"]["Status"] == "healthy"
    assert facts["HostConfig"]["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}
    assert not facts["HostConfig"]["PortBindings"], "no port has to be published"


def test_the_server_is_of_the_release_that_was_asked_for(cluster: Cluster) -> None:
    assert int(cluster.query("SHOW server_version_num")) // 10000 == cluster.major


def test_the_server_keeps_what_it_was_told(cluster: Cluster) -> None:
    settings = ("data_checksums", "fsync", "full_page_writes", "log_checkpoints")
    assert [cluster.query(f"SHOW {name}") for name in settings] == ["on"] * 4


def test_the_memory_of_the_machine_is_used(cluster: Cluster) -> None:
    pages = "SELECT setting::int * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'"
    total = int(cluster.host.check_output("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"))
    assert total / 10 < int(cluster.query(pages)) <= total / 8, "a quarter, of half the machine's memory"


def test_query_statistics_are_preloaded_where_the_image_has_them(cluster: Cluster) -> None:
    library = f"test -e /usr/lib/postgresql/{cluster.major}/lib/pg_stat_statements.so"
    there = cluster.host.run(f"docker exec {cluster.container} {library}").rc == 0
    assert cluster.query("SHOW shared_preload_libraries") == ("pg_stat_statements" if there else "")


def test_passwords_are_in_files_of_root_and_in_nobodys_environment(cluster: Cluster) -> None:
    directory = cluster.host.file(f"/etc/holdfast/secrets/{cluster.name}")
    assert (directory.user, directory.mode) == ("root", 0o700)
    for name in ("superuser_password", "backup_password", "monitoring_password"):
        secret = cluster.host.file(f"{directory.path}/{name}")
        assert (secret.user, secret.mode) == ("root", 0o600)
        assert len(secret.content_string.strip()) >= 32
        assert secret.content_string.strip() not in json.dumps(cluster.facts())


def test_the_superuser_has_the_password_of_the_file(cluster: Cluster) -> None:
    """By the container's own address, where the server asks for one."""
    network = f"docker run --rm --network container:{cluster.container} --entrypoint sh"
    secret = f"/etc/holdfast/secrets/{cluster.name}/superuser_password"
    connect = 'PGPASSWORD=$(cat /secret) psql -XAt -U postgres -h "$(hostname -i)" -c "SELECT 1"'
    image = cluster.facts()["Image"]
    asked = cluster.host.run(f"{network} -v {secret}:/secret:ro {image} -c {shlex.quote(connect)}")
    assert asked.stdout.strip() == "1", asked.stderr


def test_the_accounts_have_the_rights_that_suffice(cluster: Cluster) -> None:
    attributes = "rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    asked = f"SELECT rolname, {attributes} FROM pg_roles WHERE rolname LIKE 'holdfast%' ORDER BY 1"
    assert cluster.query(asked).splitlines() == ["holdfast_backup|t|f|f|f|t|t", "holdfast_monitoring|t|f|f|f|f|f"]
    members = (
        "SELECT string_agg(g.rolname, ',' ORDER BY g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
        " JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = "
    )
    assert cluster.query(f"{members} 'holdfast_backup'") == "pg_monitor,pg_read_all_data"
    assert cluster.query(f"{members} 'holdfast_monitoring'") == "pg_monitor"


def test_the_engine_starts_with_the_machine(cluster: Cluster) -> None:
    docker = cluster.host.service("docker")
    assert docker.is_running
    assert docker.is_enabled


def test_the_program_takes_a_backup_as_cron_would_run_it(cluster: Cluster) -> None:
    cluster.query("CREATE TABLE IF NOT EXISTS proof AS SELECT generate_series(1, 1000) AS id")
    before = cluster.identity()
    taken = cluster.holdfast("backup", "--tier", "daily", "--json", "--quiet")
    assert taken.rc == 0, taken.stderr
    listed = json.loads(cluster.holdfast("list", "--json").stdout)["backups"]
    assert json.loads(taken.stdout)["backup"]["id"] == listed[0]["id"]
    assert cluster.identity() == before


def test_that_backup_restores_beside_the_database_and_matches(cluster: Cluster) -> None:
    restored = cluster.holdfast("restore", "--latest", "--database", "postgres", "--into", "again", "--json", "--quiet")
    assert restored.rc == 0, restored.stderr
    assert json.loads(restored.stdout)["verdict"] == "match"
    assert cluster.query("SELECT count(*) FROM proof", "again") == "1000"
    cluster.query("DROP DATABASE again")


def test_the_guard_finds_the_data_where_they_should_be(cluster: Cluster) -> None:
    guarded = cluster.holdfast("guard", "--json")
    assert guarded.rc == 0, guarded.stdout + guarded.stderr
    found = json.loads(guarded.stdout)
    assert {check["result"] for check in found["checks"]} == {"ok"}, found["checks"]
    assert found["identity"]["volume"] == f"{cluster.project}_postgres_data"


def test_bash_completes_the_program(cluster: Cluster) -> None:
    words = (
        "source /usr/share/bash-completion/completions/holdfast; COMP_WORDS=(holdfast list --cluster ''); COMP_CWORD=3"
    )
    completed = cluster.host.check_output("bash -c %s", f'{words}; _holdfast; echo "${{COMPREPLY[@]}}"')
    assert cluster.name in completed.split()


def test_its_logs_are_rotated(cluster: Cluster) -> None:
    cluster.host.check_output("touch /var/log/holdfast/example.log")
    tried = cluster.host.run("logrotate --debug /etc/logrotate.d/holdfast")
    assert tried.rc == 0
    assert "error" not in tried.stderr
    assert "/var/log/holdfast/example.log" in tried.stderr
