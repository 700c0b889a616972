# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault that a backup can hide is found by a drill, and named.

A backup is taken of whole data, then of damaged ones; the second gets the fingerprint of the first. So it is what a
dump would be that lost or changed something on its way, with every checksum in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import drills
from tests.support.backups import back_up, tidied
from tests.support.clusters import Cluster
from tests.support.servers import Server

ROLES = "DROP ROLE IF EXISTS seeded_role, seeded_group, seeded_settings"


@dataclass(frozen=True)
class Fault:
    """What is done to the data, the check that has to find it, and the words that have to name it.

    :param before: makes what is then damaged, in the whole data too.
    """

    sql: str
    check: str
    named: str
    before: str = ""


FAULTS = {
    "a row is missing": Fault("DELETE FROM app.orders WHERE id = 77", "fingerprint", "table app.orders has 1999 rows, expected 2000"),
    "a row too many": Fault("INSERT INTO app.rooms VALUES (99, NULL)", "fingerprint", "table app.rooms has 6 rows, expected 5"),
    "a value changed": Fault(
        "UPDATE app.orders SET tax = tax + 0.01 WHERE id = 77",
        "fingerprint", "table app.orders has 2000 rows as expected, but other content",
    ),
    "a byte changed": Fault(
        "UPDATE app.files SET content = set_byte(content, 1500, 255 - get_byte(content, 1500)) WHERE name = 'f7'",
        "fingerprint", "table app.files has 20 rows as expected, but other content",
    ),
    "two values swapped": Fault(
        "UPDATE app.orders SET net = 2, tax = 0.19 WHERE id = 1; UPDATE app.orders SET net = 1, tax = 0.38 WHERE id = 2",
        "fingerprint", "table app.orders has 2000 rows as expected, but other content",
    ),
    "a row of a partition": Fault("DELETE FROM app.events WHERE id = 3", "fingerprint", "table app.events_old"),
    "an empty table": Fault("TRUNCATE app.rooms", "fingerprint", "table app.rooms has 0 rows, expected 5"),
    "a table is missing": Fault("DROP TABLE app.rooms", "fingerprint", "table app.rooms is missing"),
    "a table too many": Fault("CREATE TABLE app.stray (x int)", "fingerprint", "table app.stray was not in the backup"),
    "a column is missing": Fault("ALTER TABLE app.orders DROP COLUMN limits", "fingerprint", "app.orders"),
    "an index is missing": Fault("DROP INDEX app.orders_open", "fingerprint", "app.orders_open is missing"),
    "a constraint is missing": Fault("ALTER TABLE app.orders DROP CONSTRAINT orders_customer_fkey", "fingerprint", "orders_customer_fkey"),
    "a view is otherwise": Fault("CREATE OR REPLACE VIEW app.open_orders AS SELECT id, customer, gross FROM app.orders", "fingerprint", "app.open_orders"),
    "a function is otherwise": Fault(
        "CREATE OR REPLACE FUNCTION app.total(bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0::numeric'",
        "fingerprint", "app.total",
    ),
    "a trigger is missing": Fault("DROP TRIGGER customers_touch ON app.customers", "fingerprint", "customers_touch"),
    "a trigger is off": Fault("ALTER TABLE app.customers DISABLE TRIGGER customers_touch", "fingerprint", "customers_touch"),
    "a policy is missing": Fault("DROP POLICY reads_own ON app.customers", "fingerprint", "reads_own"),
    "row security is off": Fault("ALTER TABLE app.customers DISABLE ROW LEVEL SECURITY", "fingerprint", "app.customers"),
    "a grant is missing": Fault("REVOKE USAGE ON SCHEMA app FROM rich_reader", "fingerprint", "schema app"),
    "an owner is another": Fault("ALTER TABLE app.rooms OWNER TO rich_owner", "fingerprint", "app.rooms"),
    "an enum has a value more": Fault("ALTER TYPE app.state ADD VALUE 'lost'", "fingerprint", "app.state"),
    "an event trigger is missing": Fault("DROP EVENT TRIGGER app_watch", "fingerprint", "app_watch"),
    "a publication is otherwise": Fault("ALTER PUBLICATION app_orders DROP TABLE app.customers", "fingerprint", "app_orders"),
    "a large object is missing": Fault("SELECT lo_unlink(7001)", "fingerprint", "1 large objects, expected 2"),
    "a large object is otherwise": Fault("SELECT lo_put(7001, 3, 'X')", "fingerprint", "2 large objects as expected, but other content"),
    "a materialized view is empty": Fault("REFRESH MATERIALIZED VIEW app.sales WITH NO DATA", "fingerprint", "app.sales"),
    "a sequence is behind": Fault("SELECT setval('app.orders_id_seq', 500)", "fingerprint", "sequence app.orders_id_seq stands at 500"),
    "a sequence is behind its column": Fault(
        "SELECT setval('app.orders_id_seq', 500)",
        "sequences", "sequence app.orders_id_seq gives 501 next, but id of app.orders has 2000",
    ),
    "an extension is absent": Fault("DROP EXTENSION pg_trgm CASCADE", "extensions", "extension pg_trgm (1.6) is missing"),
    "an extension is absent from the fingerprint": Fault("DROP EXTENSION pg_trgm CASCADE", "fingerprint", "extension pg_trgm is missing"),
    "a role is absent": Fault("DROP ROLE seeded_role", "fingerprint", "role seeded_role is missing", "CREATE ROLE seeded_role"),
    "a role is no member": Fault(
        "REVOKE seeded_group FROM seeded_role",
        "fingerprint", "role seeded_role is no member of seeded_group", "CREATE ROLE seeded_role; CREATE ROLE seeded_group; GRANT seeded_group TO seeded_role",
    ),
    "a role has other settings": Fault(
        "ALTER ROLE seeded_settings RESET work_mem",
        "fingerprint", "role seeded_settings has other attributes", "CREATE ROLE seeded_settings; ALTER ROLE seeded_settings SET work_mem = '9MB'",
    ),
    # These are in the data themselves: every backup of them has them, and none restores to something sound.
    "an index is corrupt": Fault("SELECT 1", "amcheck", "seeded_order", """
        CREATE FUNCTION app.lies(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS
            'SELECT CASE WHEN random() < 0.5 THEN btint4cmp($1, $2) ELSE btint4cmp($2, $1) END';
        CREATE OPERATOR CLASS app.lying FOR TYPE int USING btree AS
            OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 app.lies(int, int);
        CREATE TABLE app.seeded (x int); INSERT INTO app.seeded SELECT generate_series(1, 1000);
        CREATE INDEX seeded_order ON app.seeded (x app.lying);"""),
    "rows are not found by their index": Fault("SELECT 1", "amcheck", "seeded_found", """
        CREATE FUNCTION app.moody(int) RETURNS float LANGUAGE sql IMMUTABLE AS 'SELECT random()';
        CREATE TABLE app.seeded (x int); INSERT INTO app.seeded SELECT generate_series(1, 100);
        CREATE INDEX seeded_found ON app.seeded (app.moody(x));"""),
    "rows break a constraint": Fault("SELECT 1", "constraints", "constraint positive of app.seeded is NOT VALID, and its rows break it", """
        CREATE TABLE app.seeded (x int); INSERT INTO app.seeded VALUES (-1);
        ALTER TABLE app.seeded ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;"""),
    "a row points nowhere": Fault("SELECT 1", "constraints", "constraint seeded_key of app.seeded is NOT VALID, and its rows break it", """
        CREATE TABLE app.seeded (x bigint); INSERT INTO app.seeded VALUES (123456);
        ALTER TABLE app.seeded ADD CONSTRAINT seeded_key FOREIGN KEY (x) REFERENCES app.customers NOT VALID;"""),
    "a function does not compile": Fault("SELECT 1", "objects", 'function app.seeded(): relation "app.gone" does not exist', """
        CREATE TABLE app.gone (x int);
        CREATE FUNCTION app.seeded() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM app.gone'; DROP TABLE app.gone;"""),
    "a procedure has no syntax": Fault("SELECT 1", "objects", "function app.seeded(): syntax error", """
        SET check_function_bodies = off; CREATE PROCEDURE app.seeded() LANGUAGE plpgsql AS 'BEGIN UPDATE SET WHERE; END';"""),
}  # fmt: skip
#: What the check weighs by default is a warning: the backup is as the data were, and the data are not sound.
REMARKS = {"constraints", "objects", "sequences"}


@pytest.fixture(scope="module")
def base(distribution_server: Server) -> Iterator[Server]:
    """The distribution's server with the whole shop as a template."""
    with tidied(distribution_server):
        drills.load_rich(distribution_server, distribution_server.create_database("rich_base"))
        yield distribution_server


@pytest.fixture
def shop(base: Server, cluster: Callable[..., Cluster]) -> Iterator[Cluster]:
    base.query("CREATE DATABASE shop TEMPLATE rich_base")
    try:
        yield cluster(base, backup={"databases": ["shop"]})
    finally:
        base.drop_database("shop")
        base.query(ROLES)


def test_enough_faults_of_every_kind_are_seeded() -> None:
    assert len(FAULTS) >= 25
    assert {fault.check for fault in FAULTS.values()} >= {"fingerprint", "amcheck", "constraints", "objects", "sequences", "extensions"}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_and_named(shop: Cluster, fault: Fault) -> None:
    shop.server.psql(fault.before, "shop")
    whole = back_up(shop)["id"]
    shop.server.psql(fault.sql, "shop")
    faulty = drills.graft(shop, back_up(shop)["id"], whole)
    run = shop.holdfast("verify", "--json", faulty)
    evidence = (run.json if run.returncode == 0 else run.json["details"])["drills"][0]
    assert any(fault.named in text for text in drills.findings(evidence, fault.check)), drills.said(evidence)
    expected = "warning" if fault.check in REMARKS else "failed"
    assert drills.verdicts(evidence)[fault.check] == expected
    if fault.check not in REMARKS:
        assert run.returncode == drills.DRILL
        assert shop.holdfast("list", "--json").json["backups"][0]["state"] == "failed"
        assert fault.named in evidence["reason"] or fault.check in evidence["reason"]


def test_a_remark_can_be_made_a_failure(shop: Cluster) -> None:
    shop.server.psql("SELECT setval('app.orders_id_seq', 500)", "shop")
    back_up(shop)
    assert drills.verdicts(drills.passed(shop))["sequences"] == "warning"
    shop.configure(verify={"levels": {"sequences": "error"}})
    assert drills.verdicts(drills.failed(shop, "--latest"))["sequences"] == "failed"
    shop.configure(verify={"levels": {"sequences": "ignore"}})
    backup = back_up(shop)["id"]
    assert drills.verdicts(drills.passed(shop, backup))["sequences"] == "skipped"


def test_a_file_that_was_altered_is_found_before_anything_is_started(shop: Cluster) -> None:
    backup = back_up(shop)["id"]
    file: Path = next((shop.repository / "backups" / backup).rglob("toc.dat"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    evidence = drills.failed(shop, backup)
    assert drills.verdicts(evidence) == {"checksums": "failed"} | dict.fromkeys(list(drills.verdicts(evidence))[1:], "not_reached")  # fmt: skip
    assert "toc.dat was altered or truncated" in drills.findings(evidence, "checksums")[0]
    assert evidence["server"] is None
    assert shop.holdfast("list", "--json").json["backups"][0]["state"] == "corrupt"


def test_an_sql_error_of_the_restore_is_named(shop: Cluster) -> None:
    backup = back_up(shop)["id"]
    broken = b"CREATE ROLE seeded_role; ALTER ROLE nobody_made_me SET work_mem = '5MB';\n"

    def change(root: Path) -> None:
        file = root / "globals.sql"
        file.write_bytes(file.read_bytes() + broken)

    drills.reseal(shop.repository / "backups" / backup, change)
    evidence = drills.failed(shop, backup)
    assert drills.verdicts(evidence)["restore"] == "failed"
    assert 'role "nobody_made_me" does not exist' in drills.findings(evidence, "restore")[0]
    assert drills.verdicts(evidence)["fingerprint"] == "not_reached"
