"""Every command, as cron runs it: JSON alone on standard output, or lines that people read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.clusters import Cluster, Run
from tests.support.servers import Server

Program = Callable[..., Run]


def fields(run: Run) -> dict[str, Any]:
    """The JSON of a run, which must be all that it printed on standard output."""
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_every_command_prints_json_alone_with_json(holdfast: Program, database: str) -> None:
    made = fields(holdfast("init", "--json"))
    taken = fields(holdfast("backup", "--note", "by hand", "--json"))["backup"]
    young = fields(holdfast("backup", "--if-older-than", "1h", "--json"))
    listed = fields(holdfast("list", "--check", "--json"))
    shown = fields(holdfast("show", taken["id"], "--json"))
    pinned = fields(holdfast("pin", taken["id"], "--note", "audit", "--json"))
    pinned_again = fields(holdfast("pin", taken["id"], "--note", "audit", "--json"))
    unpinned = fields(holdfast("unpin", taken["id"], "--json"))
    checked = fields(holdfast("check", "--json"))
    pruned = fields(holdfast("prune", "--json"))
    restored = fields(
        holdfast(*("restore", "--latest", "--database", database, "--in-place", "--confirm", database, "--json"))
    )

    assert made["changed"] is False
    assert (taken["state"], taken["note"], taken["tiers"]) == ("complete", "by hand", ["manual"])
    assert young["changed"] is False
    assert young["backup"]["id"] == taken["id"]
    assert [one["id"] for one in listed["backups"]] == [taken["id"]]
    assert shown["id"] == taken["id"]
    assert [one["changed"] for one in (pinned, pinned_again, unpinned)] == [True, False, True]
    assert checked["checked"] == {taken["id"]: []}
    assert pruned["changed"] is False
    assert (restored["changed"], restored["verdict"]) == (True, "match")


def test_people_read_what_came_of_it(holdfast: Program, database: str) -> None:
    backup = holdfast("backup", check=True).stdout
    backup_id = backup.split(":")[0]
    young = holdfast("backup", "--if-older-than", "1h", check=True).stdout
    listed = holdfast("list", check=True).stdout
    checked = holdfast("check", check=True).stdout
    restored = holdfast("restore", "--latest", "--database", database, "--into", f"{database}_copy", check=True).stdout
    shown = holdfast("show", backup_id, check=True).stdout
    pruned = holdfast("prune", check=True).stdout

    assert re.match(r"\d{8}T\d{6}Z-manual-[0-9a-f]{6}: complete\n  taken \d{4}-\d\d-\d\dT", backup)
    assert re.search(rf"database '{database}': 500 rows in 1 tables, [\d.]+ MiB there, [\d.]+ KiB here, fing", backup)
    assert "gzip:1 (this pg_dump has no zstd)" in backup
    assert f"took no backup: {backup_id} is younger than 1:00:00" in young
    assert re.match(r"ID +TIER +METHOD +AGE +SIZE +SERVER +STATE\n", listed)
    assert re.search(rf"\n{backup_id} +manual +logical +[\d.]+s +[\d.]+ KiB +18\.\d+ +complete\n", listed)
    assert checked == f"{backup_id}: ok\n"
    assert re.match(rf"restored from {backup_id} in [\d.]+s \(RTO\); it was [\d.]+s old \(RPO\)\n", restored)
    assert f"database '{database}_copy': " in restored
    assert "fingerprint match: 500 rows in 1 tables, level digest" in restored
    assert ": proven\n" in shown
    assert re.search(r"\n  database .+ proved \S+ by restore \(new\) in [\d.]+s\n", shown)
    assert pruned == "kept 1, removed 0, 0 B freed\n"


def test_a_log_gets_plain_lines_with_a_time(holdfast: Program) -> None:
    said = holdfast("backup", check=True).stderr

    assert "\x1b" not in said
    assert "\r" not in said
    for line in said.splitlines():
        moment, _, text = line.partition(" ")
        assert datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S%z")
        assert text


def test_quiet_says_nothing_but_the_result(holdfast: Program) -> None:
    assert holdfast("backup", "--quiet", check=True).stderr == ""
    assert holdfast("prune", "--quiet", check=True).stderr == ""


def test_a_dry_run_of_a_backup_is_what_the_real_one_does(holdfast: Program, shop: Cluster) -> None:
    planned = fields(holdfast("backup", "--dry-run", "--json"))["plan"]
    assert shop.backups == []

    taken = fields(holdfast("backup", "--json"))["backup"]
    planned_again = fields(holdfast("backup", "--if-older-than", "1h", "--dry-run", "--json"))["plan"]

    assert planned["action"] == "back up"
    assert planned["databases"] == [one["name"] for one in taken["databases"]]
    assert planned["compression"] == taken["compression"]
    assert (planned_again["action"], planned_again["existing"]) == ("none", taken["id"])


def test_a_dry_run_of_a_prune_is_what_the_real_one_does(holdfast: Program, shop: Cluster) -> None:
    for _ in range(3):
        holdfast("backup", check=True)
    shop.configure(retention={"minimum": 1, "manual": "0 days"})
    planned = fields(holdfast("prune", "--dry-run", "--json"))["plan"]
    text = holdfast("prune", "--dry-run", check=True).stdout
    assert len(shop.backups) == 3

    pruned = fields(holdfast("prune", "--json"))

    assert pruned["removed"] == planned["delete"]
    assert pruned["decisions"] == planned["decisions"]
    assert pruned["freed"] == planned["freed"]
    for one in planned["decisions"]:
        assert f"{one['action']:6}  {one['id']}  {one['reason']}" in text


def test_a_dry_run_of_a_restore_is_what_the_real_one_does(holdfast: Program, server18: Server, database: str) -> None:
    holdfast("backup", check=True)
    arguments = ("restore", "--latest", "--database", database, "--in-place", "--json")
    before = server18.databases()
    planned = fields(holdfast(*arguments, "--dry-run"))["plan"]
    assert server18.databases() == before

    done = fields(holdfast(*arguments, "--confirm", database))["plan"]

    assert planned["feasible"] is True
    assert [_timeless(step) for step in planned["steps"]] == [_timeless(step) for step in done["steps"]]
    assert [one["check"] for one in planned["checks"]] == [one["check"] for one in done["checks"]]


def _timeless(step: str) -> str:
    return re.sub(r"\d{8}[tT]\d{6}(_[0-9a-f]{6})?", "TIME", step)


def test_one_cluster_need_not_be_named_but_one_of_two_must(holdfast: Program, shop: Cluster) -> None:
    assert holdfast("list").returncode == 0
    other = {**shop.config(), "cluster": "archive"}
    (shop.config_dir / "archive.json").write_text(json.dumps(other))

    unnamed, unknown = holdfast("list"), holdfast("list", "--cluster", "shpo")

    assert (unnamed.returncode, unknown.returncode) == (2, 2)
    assert "--cluster: archive, shop" in unnamed.stderr
    assert "archive, shop" in unknown.stderr


def test_names_from_the_server_never_steer_a_terminal(
    holdfast: Program, shop: Cluster, server18: Server, new_database: Callable[..., str]
) -> None:
    evil = new_database(server18, "red\x1b[31m\nnext\rline\x07")
    shop.configure(backup={"databases": [evil]})

    runs = [
        holdfast("backup", "--dry-run", check=True),
        holdfast("backup", "--note", "a\x1b]0;title\x07", check=True),
        holdfast("list", check=True),
        holdfast("restore", "--latest", "--database", evil, "--in-place", "--dry-run", check=True),
        holdfast("restore", "--latest", "--database", evil, "--in-place", "--confirm", evil, check=True),
        holdfast("show", shop.backups[0].name, check=True),
        holdfast("restore", "--latest", "--database", "\x1b[2J", "--into", "x"),
    ]

    for run in runs:
        for text in (run.stdout, run.stderr):
            assert not set(text) & set("\x1b\r\x07"), repr(text)
    for database in server18.databases():
        if database.startswith("red\x1b"):
            server18.drop_database(database)


def test_help_tells_the_exit_codes_and_the_version_is_there(holdfast: Program) -> None:
    told = holdfast("--help").stdout

    assert "exit codes: 0 done;" in told
    assert re.match(r"holdfast \d+\.\d+", holdfast("--version").stdout)
    assert holdfast("backup", "--no-such-option").returncode == 2


@pytest.mark.parametrize("fault", ["{not json", '{"schema": 2}', '{"schema": 1, "cluster": "shop", "paswd": 1}'])
def test_a_configuration_that_cannot_be_read_is_an_error_of_its_own(
    holdfast: Program, shop: Cluster, fault: str
) -> None:
    Path(shop.config_file).write_text(fault)

    failed = holdfast("list", "--json")

    assert failed.returncode == 2
    assert set(failed.json) >= {"msg", "reason", "next_step", "exit_code", "details", "error"}
    assert str(shop.config_file) in failed.json["msg"]
    assert f"holdfast: {failed.json['msg']}" in failed.stderr
