"""For every alert: series that make it fire, and series that come close and do not.

A series is written as promtool reads it: `0+60x10` begins at 0 and grows by 60, ten times. Time begins at 0, so that a
timestamp of 0 is as old as the test has run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SHOP = 'cluster="shop",machine="db1"'
NODE = 'job="holdfast-node",machine="db1"'
EXPORTER = f'job="holdfast-postgres",{SHOP}'
EXPECTED = {f"holdfast_expected_cluster{{{SHOP}}}": "1x1600"}
METRICS = {f"holdfast_metrics_timestamp_seconds{{{SHOP}}}": "0+60x1600"}

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One alert.

    :param fires: by severity, series, and the time at which it is looked.
    :param quiet: series and a time at which it does not fire, although it is close.
    :param interval: the time between two values of a series.
    """

    fires: dict[str, tuple[Series, str]]
    quiet: list[tuple[Series, str]] = field(default_factory=list)
    interval: str = "1m"


def one(name: str, value: str, more: str = "") -> Series:
    """One series of the shop."""
    return {f"{name}{{{SHOP}{',' + more if more else ''}}}": value}


def age(name: str, limits: dict[str, str], quiet: str, more: str = "", interval: str = "1h") -> Case:
    """A timestamp of 0 that gets too old; the values go on until the end of the test."""
    series = one(name, "0x2000", more)
    return Case({severity: (series, at) for severity, at in limits.items()}, [(series, quiet)], interval)


def flag(name: str, at: str, before: str, bad: str = "0", good: str = "1", more: str = "") -> Case:
    """A metric that is 0 or 1, and must be so for a while."""
    quiet = [(one(name, f"{good}x60", more), "30m")]
    if before:
        quiet.append((one(name, f"{bad}x60", more), before))
    return Case({"critical": (one(name, f"{bad}x60", more), at)}, quiet)


def level(name: str, values: dict[str, str], quiet: str, at: str = "0m", before: str = "", more: str = "") -> Case:
    """A value that passes thresholds."""
    fires = {severity: (one(name, f"{value}x300", more), at) for severity, value in values.items()}
    silent = [(one(name, f"{quiet}x300", more), at)]
    if before:
        silent.append((one(name, f"{next(iter(values.values()))}x300", more), before))
    return Case(fires, silent)


def disk(what: str, free: dict[str, str], quiet: str) -> Case:
    """A disk of 100 that has so much free."""

    def series(value: str) -> Series:
        size = one(f"holdfast_{what}_filesystem_size_bytes", "100x300")
        return size | one(f"holdfast_{what}_filesystem_free_bytes", f"{value}x300")

    return Case(
        {severity: (series(value), "6m") for severity, value in free.items()},
        [(series(quiet), "6m"), (series(next(iter(free.values()))), "4m")],
    )


def fills_up(what: str, warning: tuple[str, str], critical: tuple[str, str], quiet: str, interval: str) -> Case:
    """A disk of 10000 of which something goes away in every interval."""

    def series(free: str) -> Series:
        size = one(f"holdfast_{what}_filesystem_size_bytes", "10000x900")
        return size | one(f"holdfast_{what}_filesystem_free_bytes", free)

    return Case(
        {"warning": (series(warning[0]), warning[1]), "critical": (series(critical[0]), critical[1])},
        [(series(quiet), warning[1]), (series("5000x900"), warning[1])],
        interval,
    )


def connections(used: str) -> Series:
    count = one("pg_stat_activity_count", f"{used}x60", 'state="active"')
    return count | one("pg_stat_activity_count", "10x60", 'state="idle"') | one("pg_settings_max_connections", "100x60")


def statements(seconds: str, calls: str, user: str = "app") -> Series:
    labels = f'datname="shop",user="{user}",queryid="42"'
    taken = one("pg_stat_statements_seconds_total", f"0+{seconds}x60", labels)
    return taken | one("pg_stat_statements_calls_total", f"0+{calls}x60", labels)


def cache(hit: str, read: str) -> Series:
    found = one("pg_stat_database_blks_hit", f"0+{hit}x60", 'datname="shop"')
    return found | one("pg_stat_database_blks_read", f"0+{read}x60", 'datname="shop"')


def rows(dead: str, live: str) -> Series:
    labels = 'datname="shop",relname="orders"'
    found = one("pg_stat_user_tables_n_dead_tup", f"{dead}x120", labels)
    return found | one("pg_stat_user_tables_n_live_tup", f"{live}x120", labels)


SESSION = 'datname="shop",usename="app"'
BACKUP = "holdfast_backup_last_success_timestamp_seconds"
ACTIVITY = "pg_stat_activity_max_tx_duration"
UP = {f"up{{{NODE}}}": "1x60"}
EXPORTER_UP = {f"up{{{EXPORTER}}}": "1x60"}
NEWEST = one("holdfast_backup_newest_timestamp_seconds", "0x1600")

CASES: dict[str, Case] = {
    "HoldfastWatchdog": Case({"none": ({}, "0m")}),
    "HoldfastNodeDown": Case(
        {"critical": ({f"up{{{NODE}}}": "1 0x10"}, "3m")}, [(UP, "10m"), ({f"up{{{NODE}}}": "1x4 0x10"}, "5m")]
    ),
    "HoldfastNodeMissing": Case({"critical": (EXPECTED, "6m")}, [(EXPECTED | UP, "30m"), (EXPECTED, "4m")]),
    "HoldfastExporterDown": Case(
        {"critical": ({f"up{{{EXPORTER}}}": "0x10"}, "4m")},
        [(EXPORTER_UP, "30m"), ({f"up{{{EXPORTER}}}": "0x10"}, "2m")],
    ),
    "HoldfastExporterMissing": Case(
        {"critical": (EXPECTED, "6m")}, [(EXPECTED | EXPORTER_UP, "30m"), (EXPECTED, "4m")]
    ),
    "HoldfastMetricsMissing": Case({"critical": (EXPECTED, "6m")}, [(EXPECTED | METRICS, "30m"), (EXPECTED, "4m")]),
    "HoldfastMetricsStale": age(
        "holdfast_metrics_timestamp_seconds", {"warning": "21m", "critical": "61m"}, "19m", interval="1m"
    ),
    "HoldfastTextfileError": Case(
        {"warning": ({f"node_textfile_scrape_error{{{NODE}}}": "1x60"}, "11m")},
        [
            ({f"node_textfile_scrape_error{{{NODE}}}": "0x60"}, "30m"),
            ({f"node_textfile_scrape_error{{{NODE}}}": "1x60"}, "9m"),
        ],
    ),
    "HoldfastSchedulerDown": flag("holdfast_scheduler_up", "6m", "4m"),
    "HoldfastScheduleRemoved": flag("holdfast_schedule_installed", "6m", "4m"),
    "HoldfastBackupNever": Case({"critical": (METRICS, "27h")}, [(METRICS | NEWEST, "27h"), (METRICS, "25h")], "30m"),
    "HoldfastRulesFail": Case(
        {"warning": ({"prometheus_rule_evaluation_failures_total": "0x5 3x20"}, "10m")},
        [({"prometheus_rule_evaluation_failures_total": "3x30"}, "20m")],
    ),
    "HoldfastAlertsUndelivered": Case(
        {"critical": ({'alertmanager_notifications_failed_total{integration="email"}': "0x5 3x20"}, "10m")},
        [
            ({'alertmanager_notifications_failed_total{integration="email"}': "3x30"}, "20m"),
            ({"prometheus_notifications_dropped_total": "7x30"}, "20m"),
        ],
    ),
    "HoldfastDailyBackupTooOld": age(BACKUP, {"warning": "28h", "critical": "52h"}, "26h", 'tier="daily"'),
    "HoldfastWeeklyBackupTooOld": age(BACKUP, {"warning": "193h", "critical": "361h"}, "191h", 'tier="weekly"'),
    "HoldfastMonthlyBackupTooOld": age(
        BACKUP, {"warning": "800h", "critical": "1544h"}, "784h", 'tier="monthly"', "8h"
    ),
    "HoldfastScheduleMissed": flag(
        "holdfast_schedule_missed", "0m", "", bad="1", good="0", more='exported_job="daily"'
    ),
    "HoldfastRunFailed": flag("holdfast_run_last_success", "0m", "", more='exported_job="backup"'),
    "HoldfastRunHangs": age(
        "holdfast_run_started_timestamp_seconds", {"warning": "245m", "critical": "725m"}, "235m", interval="5m"
    ),
    "HoldfastBackupShrank": level("holdfast_backup_newest_size_ratio", {"warning": "0.69", "critical": "0.39"}, "0.71"),
    "HoldfastBackupCorrupt": level("holdfast_backups_state", {"critical": "1"}, "0", more='state="corrupt"'),
    "HoldfastBackupUnrestorable": level("holdfast_backups_state", {"critical": "1"}, "0", more='state="failed"'),
    "HoldfastProofTooOld": age(
        "holdfast_last_proven_timestamp_seconds", {"warning": "217h", "critical": "385h"}, "215h"
    ),
    "HoldfastDrillFailed": flag("holdfast_drill_success", "0m", ""),
    "HoldfastRecoveryTooSlow": level("holdfast_rto_seconds", {"warning": "3601", "critical": "14401"}, "3599"),
    "HoldfastRepositoryUnreadable": flag("holdfast_repository_up", "11m", "9m"),
    "HoldfastPruneStopped": age("holdfast_prune_last_timestamp_seconds", {"warning": "73h", "critical": "337h"}, "71h"),
    "HoldfastNotificationFailed": Case(
        {"warning": (one("holdfast_notification_success", "0x5"), "0m")},
        [(one("holdfast_notification_success", "1x5"), "0m")],
    ),
    "HoldfastVolumeFull": disk("volume", {"warning": "19", "critical": "9"}, "21"),
    "HoldfastRepositoryFull": disk("repository", {"warning": "19", "critical": "9"}, "21"),
    # 5000 are free: 1 a minute is gone in 3.5 days, 5 a minute in less than one; 0.3 a minute in 11.
    "HoldfastVolumeFillsUp": fills_up("volume", ("5000-1x900", "60m"), ("5000-5x900", "60m"), "5000-0.3x900", "1m"),
    # Every hour: 40 are gone in 5 days, 200 in one; 10 in 20 days.
    "HoldfastRepositoryFillsUp": fills_up(
        "repository", ("5000-40x900", "10h"), ("5000-200x900", "10h"), "5000-10x900", "1h"
    ),
    "HoldfastWalLarge": Case(
        {
            severity: (
                one("holdfast_wal_size_bytes", f"{size}x60") | one("holdfast_volume_filesystem_size_bytes", "100x60"),
                "11m",
            )
            for severity, size in (("warning", 26), ("critical", 51))
        },
        [(one("holdfast_wal_size_bytes", "24x60") | one("holdfast_volume_filesystem_size_bytes", "100x60"), "11m")],
    ),
    "HoldfastServerDown": Case(
        {"critical": (one("pg_up", "0x60", 'job="holdfast-postgres"'), "3m")},
        [
            (one("pg_up", "1x60"), "30m"),
            (one("pg_up", "0x60"), "1m"),
            (one("holdfast_server_up", "1x60"), "30m"),
        ],
    ),
    "HoldfastConnectionsHigh": Case(
        {"warning": (connections("71"), "4m"), "critical": (connections("86"), "4m")},
        [(connections("69"), "4m"), (connections("71"), "2m")],
    ),
    "HoldfastIdleInTransaction": Case(
        {
            "warning": (one(ACTIVITY, "601x5", f'{SESSION},state="idle in transaction"'), "0m"),
            "critical": (one(ACTIVITY, "3601x5", f'{SESSION},state="idle in transaction (aborted)"'), "0m"),
        },
        [
            (one(ACTIVITY, "599x5", f'{SESSION},state="idle in transaction"'), "0m"),
            (one(ACTIVITY, "999999x5", f'{SESSION},state="idle"'), "0m"),
        ],
    ),
    "HoldfastLongTransaction": Case(
        {
            "warning": (one(ACTIVITY, "1801x5", f'{SESSION},state="active"'), "0m"),
            "critical": (one(ACTIVITY, "14401x5", f'{SESSION},state="active"'), "0m"),
        },
        [
            (one(ACTIVITY, "1799x5", f'{SESSION},state="active"'), "0m"),
            (one(ACTIVITY, "99999x5", 'datname="shop",usename="holdfast_backup",state="active"'), "0m"),
        ],
    ),
    "HoldfastLockWait": level("holdfast_lock_wait_seconds", {"warning": "61", "critical": "601"}, "59", "2m", "0m"),
    # Seconds and calls a minute.
    "HoldfastSlowQueries": Case(
        {"warning": (statements("21", "10"), "20m"), "critical": (statements("310", "10"), "20m")},
        [
            (statements("19", "10"), "20m"),
            (statements("310", "10", "holdfast_backup"), "20m"),
            (statements("0", "0"), "20m"),
        ],
    ),
    # Blocks a minute: 60000 are 1000 a second.
    "HoldfastCacheHitsLow": Case(
        {"warning": (cache("480000", "60000"), "40m"), "critical": (cache("60000", "60000"), "40m")},
        [(cache("600000", "60000"), "40m"), (cache("100", "100"), "40m"), (cache("480000", "60000"), "10m")],
    ),
    "HoldfastDeadlocks": Case(
        {
            "warning": (one("pg_stat_database_deadlocks", "5x5 6x20", 'datname="shop"'), "10m"),
            "critical": (one("pg_stat_database_deadlocks", "5x5 26x20", 'datname="shop"'), "10m"),
        },
        [(one("pg_stat_database_deadlocks", "5x30", 'datname="shop"'), "20m")],
    ),
    "HoldfastBloat": Case(
        # In between nothing is known for a while.
        {
            "warning": (rows("310000x30 _x12 310000", "690000x30 _x12 690000"), "61m"),
            "critical": (rows("610000", "390000"), "61m"),
        },
        [
            (rows("290000", "710000"), "61m"),
            (rows("90000", "10"), "61m"),
            (rows("310000", "690000"), "59m"),
            (rows("310000x30 _x20 310000", "690000x30 _x20 690000"), "61m"),
        ],
    ),
    "HoldfastWraparound": Case(
        {
            "warning": (one("pg_database_wraparound_age_datfrozenxid_seconds", "500000001x5", 'datname="shop"'), "0m"),
            "critical": (
                one("pg_database_wraparound_age_datfrozenxid_seconds", "1200000001x5", 'datname="shop"'),
                "0m",
            ),
        },
        [(one("pg_database_wraparound_age_datfrozenxid_seconds", "200000000x5", 'datname="shop"'), "0m")],
    ),
}
