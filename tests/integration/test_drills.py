# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drill restores a backup into a throwaway server, and leaves evidence and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from holdfast.repository.evidence import LOCK
from holdfast.repository.lock import FileLock
from tests.support import drills, sample
from tests.support.backups import (
    ACCESS,
    BUSY,
    CONFIG,
    INTERRUPTED,
    NOT_FOUND,
    PREFLIGHT,
    back_up,
    error_of,
    eventually,
    refusal,
    started,
    tidied,
)
from tests.support.clusters import Cluster, Run
from tests.support.disks import mounted
from tests.support.servers import Server

CHECKS = [
    "checksums", "restore", "fingerprint", "amcheck", "constraints", "objects", "sequences", "extensions", "collation",
    "own", "smoke",
]  # fmt: skip


@pytest.fixture
def rich(distribution_server: Server, cluster: Callable[..., Cluster]) -> Iterator[Cluster]:
    """A cluster of the distribution's server with the rich shop in database `shop`."""
    with tidied(distribution_server):
        drills.load_rich(distribution_server, distribution_server.create_database("shop"))
        made = cluster(distribution_server, backup={"databases": ["shop"]})
        yield made
        assert throwaways(made) == []


def throwaways(cluster: Cluster, inside: str = ".") -> list[Path]:
    """Directories of the throwaways of a cluster, or what is in them, as far as it is there."""
    repository = json.loads((cluster.repository / "holdfast-repository.json").read_text())["id"]
    return [
        found
        for directory in ("/var/tmp", "/run/holdfast-test")
        for found in Path(directory).glob(f"holdfast-throwaway-{repository}-*/{inside}")
    ]


def listening(socket_dir: Path, user: str) -> tuple[Any, ...] | None:
    """Which addresses a server listens on; None while it starts."""
    try:
        with psycopg.connect(host=str(socket_dir), port=5432, user=user, dbname="postgres") as connection:
            return connection.execute("SHOW listen_addresses").fetchone()
    except psycopg.OperationalError:
        return None


def state(cluster: Cluster, backup: str) -> str:
    """The state of a backup in the catalogue."""
    return str(cluster.holdfast("show", backup, "--json", check=True).json["state"])


def test_a_drill_proves_a_backup_and_leaves_evidence(rich: Cluster) -> None:
    backup = back_up(rich)["id"]
    before = rich.server.databases()
    evidence = drills.passed(rich, "--who=an operator", "--note=after the move")
    assert evidence["proven"]
    assert [one["check"] for one in evidence["checks"]] == CHECKS
    assert drills.verdicts(evidence) == {**dict.fromkeys(CHECKS, "passed"), "own": "skipped", "smoke": "skipped"}
    assert all(one["seconds"] >= 0 and one["title"] for one in evidence["checks"])
    assert (evidence["who"], evidence["note"], evidence["backup"]["id"]) == ("an operator", "after the move", backup)
    assert 0 < evidence["seconds"]["restore"] < evidence["rto"] < evidence["seconds"]["all"]
    assert evidence["rpo"] > 0
    assert evidence["server"]["version"].startswith(rich.server.version.split()[0])
    assert state(rich, backup) == "proven"
    proof = rich.holdfast("show", backup, "--json").json["proof"]["databases"]["shop"]
    assert proof["by"] == f"drill {evidence['id']}"
    assert rich.server.databases() == before
    assert json.loads((rich.repository / "drills" / f"{evidence['id']}.json").read_text())["verdict"] == "passed"


def test_the_page_says_all_that_an_auditor_asks_for(rich: Cluster) -> None:
    rich.server.psql("COMMENT ON DATABASE shop IS '<script>'", "shop")
    back_up(rich, "--note=<b>bold</b>")
    evidence = drills.passed(rich, "--note=<script>alert(1)</script>")
    page = (rich.repository / "drills" / f"{evidence['id']}.html").read_text()
    assert "<script>" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    for words in ("A.8.13", "measured RTO", "measured RPO", evidence["backup"]["id"], "pg_amcheck", evidence["who"],
                  evidence["backup"]["manifest_sha256"], evidence["server"]["version"], evidence["holdfast"]):  # fmt: skip
        assert words in page, words
    digest = subprocess.run(
        ["sha256sum", rich.repository / "drills" / f"{evidence['id']}.json"], capture_output=True, text=True, check=True
    )
    assert digest.stdout.split()[0] in page
    index = (rich.repository / "drills" / "index.html").read_text()
    assert f'href="{evidence["id"]}.html"' in index


def test_the_newest_unproven_comes_first_then_the_one_that_waits_longest(rich: Cluster) -> None:
    first, second = back_up(rich)["id"], back_up(rich)["id"]
    chosen = [drills.passed(rich)["backup"]["id"] for _ in range(4)]
    assert chosen == [second, first, second, first]
    third = back_up(rich)["id"]
    (sampled,) = rich.holdfast("verify", "--sample=1", "--dry-run", "--json").json["plan"]["backups"]
    assert sampled == {"id": third, "why": "no drill has looked at it yet"}
    both = rich.holdfast("verify", "--sample=2", "--json", check=True).json["drills"]
    assert [one["backup"]["id"] for one in both] == [third, second]
    assert drills.passed(rich, first)["why"] == "asked for"
    assert drills.passed(rich, "--latest")["backup"]["id"] == third
    listed = rich.holdfast("drills", "--json").json["drills"]
    assert (len(listed), listed[0]["backup"]["id"]) == (8, third)
    assert rich.holdfast("drills", listed[0]["id"]).stdout.startswith(
        f"drill {listed[0]['id']} of backup {third}: proven"
    )


def test_the_plan_is_shown_and_nothing_is_started(rich: Cluster) -> None:
    backup = back_up(rich)["id"]
    plan = rich.holdfast("verify", "--dry-run", "--json", check=True).json["plan"]
    assert plan["feasible"]
    assert [step.split(":")[0] for step in plan["steps"]] == CHECKS[:-2]
    assert "would restore" in rich.holdfast("verify", "--dry-run").stdout
    assert state(rich, backup) == "complete"
    assert not (rich.repository / "drills").exists()


def test_a_backup_that_failed_is_chosen_by_nobody(rich: Cluster, tmp_path: Path) -> None:
    good = back_up(rich)["id"]
    drills.passed(rich)
    bad = back_up(rich)["id"]
    rich.configure(verify={"smoke": {"command": ["false"]}})
    evidence = drills.failed(rich)
    assert (evidence["backup"]["id"], evidence["reason"]) == (bad, "smoke: exit code 1: it said nothing")
    assert state(rich, bad) == "failed"
    assert rich.holdfast("list", "--json").json["latest"] == good
    rich.configure(verify={"smoke": {}})
    # Who asks for it by name can have it looked at again.
    assert drills.passed(rich, bad)["proven"]
    assert state(rich, bad) == "proven"


def test_the_operators_own_checks(rich: Cluster, tmp_path: Path) -> None:
    checks = tmp_path / "checks"
    checks.mkdir()
    rich.configure(verify={"checks": str(checks)})
    (checks / "10-orders.sql").write_text(
        "-- title: there are orders of the last day\n-- database: shop\n-- expect: >= 1\n"
        "SELECT count(*) FROM app.orders WHERE placed > current_setting('holdfast.backup_time')::timestamptz - interval '1 day'"
    )
    (checks / "20-rows.sql").write_text("CREATE TEMP TABLE x AS SELECT 1; SELECT * FROM app.orders WHERE gross < 0;\n")
    (checks / "ignored.txt").write_text("not SQL")
    back_up(rich)
    evidence = drills.failed(rich)
    # Nothing may be written, not even for a moment.
    assert len(drills.findings(evidence, "own")) == 1
    assert "20-rows.sql" in evidence["reason"]
    assert "read-only transaction" in evidence["reason"]
    (checks / "20-rows.sql").write_text("SELECT 1; SELECT * FROM app.orders WHERE gross < 0;\n")
    assert drills.verdicts(drills.passed(rich, evidence["backup"]["id"]))["own"] == "passed"
    (checks / "30-none.sql").write_text("-- expect: = 12\nSELECT count(*) FROM app.rooms\n")
    (checks / "40-rows.sql").write_text("SELECT id, state FROM app.orders WHERE id IN (1, 2) ORDER BY id\n")
    (checks / "50-other.sql").write_text("-- database: warehouse\nSELECT 1\n")
    (checks / "60-slow.sql").write_text("SELECT pg_sleep(60)\n")
    rich.configure(verify={"check_timeout": 1})
    found = drills.findings(drills.failed(rich, evidence["backup"]["id"]), "own")
    assert found[0] == "50-other.sql: the backup has no database 'warehouse'"
    assert found[1] == "shop: 30-none (30-none.sql): count is 5, expected = 12"
    assert re.fullmatch(
        r"shop: 40-rows \(40-rows.sql\): 2 rows, expected none: id=1, state=\w+; id=2, state=\w+", found[2]
    )
    assert "canceling statement due to statement timeout" in found[3]


def test_a_check_whose_header_is_not_understood_is_refused_before_anything(rich: Cluster, tmp_path: Path) -> None:
    back_up(rich)
    (tmp_path / "bad.sql").write_text("-- expect: about ten\nSELECT 1\n")
    rich.configure(verify={"checks": str(tmp_path)})
    assert "'expect: about ten' is not understood" in refusal(rich, CONFIG, "verify")["msg"]
    rich.configure(verify={"checks": str(tmp_path / "nowhere")})
    assert "verify.checks" in refusal(rich, CONFIG, "verify")["next_step"]


def test_the_smoke_command_reaches_the_restored_data_and_nothing_else(rich: Cluster, tmp_path: Path) -> None:
    script = tmp_path / "smoke.sh"
    script.write_text(
        f"#!/bin/sh\n{rich.server.bin_dir}/psql -XAtc 'SELECT count(*), inet_server_addr() FROM app.orders' > {tmp_path}/out\n"
    )
    script.chmod(0o755)
    rich.configure(verify={"smoke": {"command": [str(script)]}})
    backup = back_up(rich)["id"]
    rich.server.query("DELETE FROM app.orders", "shop")
    assert drills.verdicts(drills.passed(rich))["smoke"] == "passed"
    assert (tmp_path / "out").read_text() == "2000|\n"
    rich.configure(verify={"smoke": {"command": ["sleep", "60"], "timeout": 1}})
    assert drills.failed(rich, backup)["reason"] == "smoke: it did not end within 1 s"
    rich.configure(verify={"smoke": {"command": ["/nowhere/smoke"]}})
    assert "It says nothing about the backup" in refusal(rich, CONFIG, "verify", backup)["next_step"]


def test_evidence_is_signed_and_checked_with_stock_tools(rich: Cluster, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    rich.configure(verify={"signing_key": str(key)})
    back_up(rich)
    evidence = drills.passed(rich)
    signers = tmp_path / "signers"
    signers.write_text(f"auditor@example.org {key.with_suffix('.pub').read_text()}")
    for end in ("json", "html"):
        file = rich.repository / "drills" / f"{evidence['id']}.{end}"
        check: list[str] = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "auditor@example.org"]
        check += ["-n", "holdfast-evidence", "-s", f"{file}.sig"]
        content = file.read_bytes()
        good = subprocess.run(check, input=content, capture_output=True, check=False)
        assert good.returncode == 0, good.stderr
        assert subprocess.run(check, input=content + b" ", capture_output=True, check=False).returncode != 0
    assert "ssh-keygen -Y verify" in file.read_text()


def test_a_key_that_cannot_sign_costs_the_signature_only(rich: Cluster, tmp_path: Path) -> None:
    rich.configure(verify={"signing_key": str(tmp_path / "no-key")})
    backup = back_up(rich)["id"]
    done = rich.holdfast("verify", "--json", check=True).json
    assert "verify.signing_key" in done["warnings"][0]
    assert state(rich, backup) == "proven"


def test_monitoring_hears_of_it(rich: Cluster, tmp_path: Path) -> None:
    metrics = tmp_path / "textfile"
    metrics.mkdir()
    rich.configure(monitor={"textfile": str(metrics)}, verify={"smoke": {"command": ["true"]}})
    backup = back_up(rich)["id"]
    evidence = drills.passed(rich)
    file = metrics / "holdfast_shop.prom"
    told = dict(line.rsplit(" ", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
    assert told['holdfast_drill_success{cluster="shop"}'] == "1"
    assert float(told['holdfast_rto_seconds{cluster="shop"}']) == evidence["rto"]
    assert abs(float(told['holdfast_last_proven_timestamp_seconds{cluster="shop"}']) - time.time()) < 60
    rich.configure(verify={"smoke": {"command": ["false"]}})
    drills.failed(rich, backup)
    assert 'holdfast_drill_success{cluster="shop"} 0\n' in file.read_text()
    assert 'holdfast_rto_seconds{cluster="shop"}' in file.read_text()
    assert [path.name for path in metrics.iterdir()] == [file.name]
    shutil.rmtree(metrics)
    rich.configure(verify={"smoke": {}})
    assert "monitor.textfile" in rich.holdfast("verify", backup, "--json", check=True).json["warnings"][0]


def test_one_drill_at_a_time(rich: Cluster) -> None:
    back_up(rich)
    with FileLock(rich.repository / LOCK, "verify"):
        refusal(rich, BUSY, "verify")


def test_there_is_nothing_to_verify(rich: Cluster) -> None:
    refusal(rich, NOT_FOUND, "verify")
    refusal(rich, NOT_FOUND, "verify", "20260101T000000Z-daily-abcdef")
    refusal(rich, NOT_FOUND, "drills", "20260101T000000Z-drill-abcdef")
    assert rich.holdfast("drills").stdout == "no drill of cluster shop was carried out yet\n"
    back_up(rich)
    refusal(rich, CONFIG, "verify", "--sample=0")


def test_no_room_is_said_with_how_much_is_missing(rich: Cluster, tmp_path: Path) -> None:
    backup = back_up(rich)["id"]
    with mounted(tmp_path / "small", "64m") as small:
        rich.configure(verify={"directory": str(small)})
        error = refusal(rich, PREFLIGHT, "verify")
    assert re.search(r"drill: \d+\.\d (MiB|GiB) are missing in", error["reason"])
    assert state(rich, backup) == "complete"


def test_a_drill_that_is_asked_to_end_takes_its_throwaway_with_it(rich: Cluster) -> None:
    backup = back_up(rich)["id"]
    rich.configure(verify={"smoke": {"command": ["sleep", "60"]}})
    with started(rich, "verify") as process:
        while not throwaways(rich, "data/postmaster.pid"):
            time.sleep(0.01)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        _out, told = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert "the throwaway server is gone" in told
    assert state(rich, backup) == "complete"


def test_what_a_killed_drill_left_the_next_one_removes(rich: Cluster) -> None:
    back_up(rich)
    rich.configure(verify={"smoke": {"command": ["sleep", "60"]}})
    with started(rich, "verify") as process:
        while not throwaways(rich, "data/postmaster.pid"):
            time.sleep(0.01)
        time.sleep(1)
        process.kill()
        process.communicate(timeout=30)
    (left,) = throwaways(rich)
    foreign = Path("/var/tmp/holdfast-throwaway-somebody-else")
    foreign.mkdir()
    try:
        rich.configure(verify={"smoke": {}})
        assert drills.passed(rich)["proven"]
        assert not left.exists()
        assert foreign.exists()
    finally:
        foreign.rmdir()


def test_the_live_server_is_neither_asked_to_restore_nor_slowed_by_locks(rich: Cluster) -> None:
    back_up(rich)
    identity = rich.server.query("SELECT pg_postmaster_start_time()")
    with rich.server.connect("shop") as connection:
        connection.execute("BEGIN; LOCK TABLE app.orders IN ACCESS EXCLUSIVE MODE")
        assert drills.passed(rich)["proven"]
    assert rich.server.query("SELECT pg_postmaster_start_time()") == identity


def test_tablespaces_are_made_inside_of_the_throwaway(rich: Cluster, tmp_path: Path) -> None:
    home = rich.server.socket_dir.parent
    place = home / "tablespace"
    place.mkdir()
    account = rich.server.socket_dir.stat()
    shutil.chown(place, account.st_uid, account.st_gid)
    rich.server.query(f"CREATE TABLESPACE fast LOCATION '{place}'")
    try:
        rich.server.query("CREATE TABLE app.fast (x int) TABLESPACE fast", "shop")
        back_up(rich)
        before = sorted(place.rglob("*"))
        assert drills.passed(rich)["proven"]
        assert sorted(place.rglob("*")) == before
    finally:
        rich.server.query("DROP TABLE app.fast", "shop")
        rich.server.query("DROP TABLESPACE fast")
        place.rmdir()


def test_what_this_build_cannot_check_is_said(server18: Server, cluster: Callable[..., Cluster], new_database: Callable[..., str]) -> None:  # fmt: skip
    with tidied(server18):
        sample.load(server18, new_database(server18, "lean"))
        lean = cluster(server18, backup={"databases": ["lean"]})
        back_up(lean)
        evidence = drills.passed(lean)
    assert evidence["proven"]
    (told,) = [one for one in evidence["checks"] if one["check"] == "amcheck"]
    assert (told["verdict"], told["detail"]) == ("skipped", "this build of PostgreSQL has no amcheck extension")


def test_a_backup_without_a_fingerprint_passes_but_is_not_proven(rich: Cluster) -> None:
    backup = back_up(rich, "--fingerprint=none")["id"]
    evidence = drills.passed(rich)
    assert not evidence["proven"]
    assert drills.verdicts(evidence)["fingerprint"] == "skipped"
    assert state(rich, backup) == "complete"


def test_the_throwaway_lets_nobody_else_in(rich: Cluster, tmp_path: Path) -> None:
    back_up(rich)
    seen: dict[str, Any] = {}
    rich.configure(verify={"smoke": {"command": ["sleep", "3"]}})
    with started(rich, "verify") as process:
        while not (found := throwaways(rich, ".s.PGSQL.5432")):
            time.sleep(0.01)
        seen["mode"] = found[0].parent.stat().st_mode & 0o777
        seen["addresses"] = eventually(lambda: listening(found[0].parent, rich.server.user))
        process.communicate(timeout=60)
    assert seen == {"mode": 0o700, "addresses": ("",)}


def larger(cluster: Cluster) -> str:
    """Backs up so much that its restore takes a few seconds."""
    cluster.server.query("CREATE TABLE app.much AS SELECT n AS id, repeat(md5(n::text), 8) AS text FROM generate_series(1, 300000) n", "shop")  # fmt: skip
    cluster.server.query("CREATE INDEX ON app.much (text); CREATE INDEX ON app.much (text, id)", "shop")
    return str(back_up(cluster)["id"])


def while_it_restores(cluster: Cluster, what: Callable[[Path], object]) -> dict[str, Any]:
    """Does something to the machine while a drill restores, and returns the fields of the error."""
    with started(cluster, "verify") as process:
        data = eventually(lambda: throwaways(cluster, "data/postmaster.pid"))[0].parent
        eventually(lambda: sum(path.stat().st_size for path in (data / "base").rglob("*") if path.is_file()) > 40 << 20)
        what(data)
        out, told = process.communicate(timeout=120)
    return error_of(Run(process.returncode, out, told), ACCESS)


def test_a_disk_that_fills_up_meanwhile_says_nothing_about_the_backup(rich: Cluster) -> None:
    backup = larger(rich)
    place = Path("/run/holdfast-test")
    try:
        with mounted(place, "2g"):
            place.chmod(0o777)
            rich.configure(verify={"directory": str(place)})
            error = while_it_restores(rich, lambda _data: fill(place))
    finally:
        place.rmdir()
    # What a server says of a page that half of went in: "could not extend file … Check free disk space."
    assert "No space left on device" in error["reason"] or "Check free disk space" in error["reason"]
    assert "It says nothing about the backup" in error["next_step"]
    assert state(rich, backup) == "complete"
    assert not (rich.repository / "drills").exists()


def fill(place: Path) -> None:
    """Takes all that a file system has left, while others write to it."""
    share = 1
    with (place / "ballast").open("wb") as file:
        while (free := os.statvfs(place).f_bavail * os.statvfs(place).f_frsize) // share:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free // share)
            except OSError:
                share *= 2  # somebody was faster


def test_a_throwaway_that_is_killed_meanwhile_says_nothing_about_the_backup(rich: Cluster) -> None:
    backup = larger(rich)
    error = while_it_restores(rich, lambda data: os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT))  # fmt: skip
    assert "It says nothing about the backup" in error["next_step"]
    assert state(rich, backup) == "complete"
