# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository of one cluster on disk.

::

    holdfast-repository.json      which repository this is
    backups/<id>/                 one immutable set each: manifest.json, checksums.sha256, the dumps
    backups/.partial-<id>/        a set that is being written (or whose writer died)
    backups/.deleting-<id>/       a set that is being removed
    state/<id>.json               what is known about a set besides: pins, checks, proofs

Whatever else lies there is not ours and is left alone.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Optional

from ..errors import BusyError, IntegrityError, NotFoundError
from ..system import without_collector
from . import durable
from .entry import Entry
from .lock import CATALOGUE, WRITER, FileLock
from .manifest import CHECKSUMS, NAME, Manifest, is_id, parse, parse_checksums, parse_time
from .marker import make_repository, read_marker

PARTIAL = ".partial-"
DELETING = ".deleting-"
_OWNER = ".owner.lock"
#: Catalogue changes are short; who waits longer than this meets a process that hangs.
_CATALOGUE_WAIT = 60.0
#: A prune that looks for readers holds the set for a moment; one that removes it lets it vanish.
_READING_WAIT = 10.0
#: In doubt keep: what was known about a set cannot be read, and it may have been a pin.
_UNREADABLE_MARKS = {"pin": {"note": "its state file cannot be read"}}


class Partial:
    """A set that is being written. Its owner's lock dies with its writer."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.path = path
        self.lock = lock


class Repository:
    """An opened repository: its marker has been read and fits."""

    def __init__(self, path: Path, marker: Mapping[str, Any]) -> None:
        self.path = path
        self.backups = path / "backups"
        self.states = path / "state"
        self.uuid = str(marker["id"])
        self.cluster = str(marker["cluster"])
        self.created = parse_time(str(marker["created"]))
        facts = os.stat(path)
        self.owner = (facts.st_uid, facts.st_gid)

    @classmethod
    def create(cls, path: Path, cluster: str, created: str) -> Repository:
        """Make a new repository in a directory that does not exist or is empty.

        :raises RepositoryError: something is there already, or it cannot be written.
        """
        repository = cls(path, make_repository(path, cluster, created))
        durable.give_to(path, repository.owner)
        return repository

    @classmethod
    def open(cls, path: Path, cluster: str, expected_id: Optional[str] = None) -> Repository:
        """Open an existing repository.

        An empty directory is never taken for a new repository: it may be the mount point of a disk that
        is not mounted.

        :param expected_id: the id that this host remembers; None when it remembers none.
        :raises RepositoryError: no marker, not readable, another cluster's, or another one than remembered.
        """
        return cls(path, read_marker(path, cluster, expected_id))

    # --- reading -------------------------------------------------------------------------------------

    @without_collector
    def entries(self) -> list[Entry]:
        """Every set of the catalogue, oldest first. Reads manifests only, not the data."""
        return list(self.each())

    def each(self) -> Iterator[Entry]:
        """The sets of the catalogue one by one, oldest first, so that not all of them need be held at once."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.backups) if _is_set(entry))
            marked = {entry.name[: -len(".json")] for entry in os.scandir(self.states) if entry.name.endswith(".json")}
        except OSError as error:
            durable.refuse(error, "list", self.path)
        for name in names:
            yield self._entry(name, name in marked)

    def entry(self, backup_id: str) -> Entry:
        """One set by its id.

        :raises NotFoundError: there is none.
        """
        path = self.backups / backup_id
        if not is_id(backup_id) or path.is_symlink() or not path.is_dir():
            raise NotFoundError(
                "find",
                f"backup {backup_id}",
                f"the repository of cluster {self.cluster} has none of that id",
                "See 'holdfast list' for the ids.",
                id=backup_id,
            )
        return self._entry(backup_id, True)

    def unrecognised(self) -> list[str]:
        """Names among the backups that are not ours; they are never touched."""
        return sorted(entry.name for entry in os.scandir(self.backups) if not _is_set(entry, ("", PARTIAL, DELETING)))

    def path_of(self, backup_id: str) -> Path:
        """The directory of a set."""
        return self.backups / backup_id

    def verify(self, entry: Entry) -> list[str]:
        """Check every file of a set against its checksums.

        :returns: what is wrong, one sentence each; empty when all is well.
        """
        if entry.manifest is None:
            return [str(entry.problem)]
        root = self.path_of(entry.id)
        listed = entry.manifest.facts["files"]
        try:
            _size, digest = durable.measure(root / CHECKSUMS)
            if digest != listed.get("sha256"):
                return [f"{CHECKSUMS} was altered"]
            expected = parse_checksums((root / CHECKSUMS).read_bytes(), entry.id)
            present = set(durable.regular_files(root)) - {NAME, CHECKSUMS}
        except (OSError, IntegrityError) as error:
            return [str(error)]
        problems = [f"{name} is missing" for name in sorted(set(expected) - present)]
        problems += [f"{name} does not belong to it" for name in sorted(present - set(expected))]
        for name in sorted(set(expected) & present):
            if not stat.S_ISREG(os.lstat(root / name).st_mode):
                problems.append(f"{name} is no regular file")
                continue
            try:
                _size, digest = durable.measure(root / name)
            except OSError as error:
                problems.append(f"{name} cannot be read ({error.strerror})")
                continue
            if digest != expected[name]:
                problems.append(f"{name} was altered or truncated")
        return problems

    # --- locks ---------------------------------------------------------------------------------------

    def writer(self, operation: str, wait: float = 0.0) -> FileLock:
        """The lock of whoever takes a backup."""
        return FileLock(self.path / WRITER, operation, wait=wait)

    def catalogue(self, operation: str) -> FileLock:
        """The short lock of whoever changes the catalogue."""
        return FileLock(self.path / CATALOGUE, operation, wait=_CATALOGUE_WAIT)

    def reading(self, backup_id: str, operation: str) -> FileLock:
        """A shared lock on a set: while it is held, prune leaves the set alone."""
        return FileLock(self.path_of(backup_id) / NAME, operation, shared=True, wait=_READING_WAIT)

    # --- writing -------------------------------------------------------------------------------------

    @contextmanager
    def partial(self, backup_id: str) -> Iterator[Partial]:
        """A place to write a new set to. What has not been published by its end is removed.

        :raises RepositoryError: it cannot be written.
        """
        path = self.backups / f"{PARTIAL}{backup_id}"
        lock = FileLock(path / _OWNER, f"write {backup_id}")
        try:
            with self.catalogue("begin a backup"):
                # Under the catalogue's lock, so that a prune never sees it before its owner holds it.
                durable.make_directory(path)
                lock.acquire()
        except OSError as error:
            durable.refuse(error, "write", self.path)
        try:
            yield Partial(path, lock)
        finally:
            lock.release()
            # On a disk that has become read-only it stays, for a prune: what failed before is the error to tell.
            with suppress(OSError):
                durable.remove_tree(path)

    def publish(self, partial: Partial, manifest: Manifest) -> None:
        """Turn a partial set into a backup: all durable, the manifest last, then one rename.

        :raises RepositoryError: it cannot be written; the catalogue is as before.
        """
        try:
            durable.fsync_tree(partial.path)
            with self.catalogue("publish a backup"):
                # Without its owner's lock the set looks abandoned, so from here on nobody else may look.
                (partial.path / _OWNER).unlink()
                durable.write_file(partial.path / NAME, manifest.to_bytes())
                durable.fsync_directory(partial.path)
                durable.give_to(partial.path, self.owner)
                os.rename(partial.path, self.path_of(manifest.id))
                durable.fsync_directory(self.backups)
        except OSError as error:
            durable.refuse(error, "write", self.path)

    def stale_partials(self) -> list[str]:
        """Directories below ``backups`` whose writer or remover is dead. Call it under the catalogue's lock."""
        left = sorted(entry.name for entry in os.scandir(self.backups) if _is_set(entry, (PARTIAL, DELETING)))
        return [name for name in left if name.startswith(DELETING) or self._owner_is_dead(self.backups / name)]

    def remove(self, backup_id: str) -> None:
        """Remove a set: renamed away first, so that a crash leaves no half set in the catalogue.

        :raises BusyError: somebody reads it, or has pinned or removed it meanwhile.
        :raises RepositoryError: it cannot be removed.
        """
        path = self.path_of(backup_id)
        doomed = self.backups / f"{DELETING}{backup_id}"
        lock = FileLock(path / NAME, f"remove {backup_id}")
        try:
            with self.catalogue("remove a backup"):
                if not path.exists():
                    raise BusyError(
                        "remove", f"backup {backup_id}", "it has gone meanwhile", "Plan again.", id=backup_id
                    )
                if self._entry(backup_id, True).pinned:
                    raise BusyError(
                        "remove", f"backup {backup_id}", "it has been pinned meanwhile", "Plan again.", id=backup_id
                    )
                if (path / NAME).exists() and not lock.try_acquire():
                    raise BusyError(
                        "remove", f"backup {backup_id}", "somebody reads it", "Wait until that has ended.", id=backup_id
                    )
                os.rename(path, doomed)
                (self.states / f"{backup_id}.json").unlink(missing_ok=True)
                durable.fsync_directory(self.backups)
            durable.remove_tree(doomed)
        except OSError as error:
            durable.refuse(error, "prune", self.path)
        finally:
            lock.release()

    def remove_stale(self, name: str) -> None:
        """Remove what :meth:`stale_partials` named."""
        try:
            if name.startswith(DELETING):
                (self.states / f"{name[len(DELETING) :]}.json").unlink(missing_ok=True)
            durable.remove_tree(self.backups / name)
        except OSError as error:
            durable.refuse(error, "prune", self.path)

    def mark(self, backup_id: str, key: str, value: Optional[Mapping[str, Any]]) -> None:
        """Set (or with None: take away) one mark of a set: ``pin``, ``check`` or ``proof``.

        :raises NotFoundError: the set has been removed meanwhile.
        :raises RepositoryError: it cannot be written.
        """
        path = self.states / f"{backup_id}.json"
        with self.catalogue(f"mark {backup_id}"):
            self.entry(backup_id)
            marks = dict(self._marks(backup_id))
            marks.pop(key, None)
            if value is not None:
                marks[key] = dict(value)
            try:
                durable.replace_file(path, durable.to_json(marks))
                durable.give_to(path, self.owner)
            except OSError as error:
                durable.refuse(error, "mark a backup in", self.path)

    # --- inside --------------------------------------------------------------------------------------

    def _entry(self, backup_id: str, marked: bool) -> Entry:
        marks = self._marks(backup_id) if marked else {}
        try:
            manifest = parse(durable.read_file(f"{self.backups}/{backup_id}/{NAME}"), backup_id)
            if manifest.id != backup_id or manifest.facts["cluster"] != self.cluster:
                raise IntegrityError(
                    "read",
                    f"manifest {backup_id}",
                    f"it says it is {manifest.id} of cluster {manifest.facts['cluster']!r}",
                    "It was moved here from elsewhere: put it back where it belongs.",
                )
        except IntegrityError as error:
            return Entry(backup_id, None, error.reason, marks)
        except OSError as error:
            return Entry(backup_id, None, f"its manifest cannot be read ({error.strerror})", marks)
        return Entry(backup_id, manifest, None, marks)

    def _marks(self, backup_id: str) -> Mapping[str, Any]:
        try:
            marks = json.loads((self.states / f"{backup_id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return _UNREADABLE_MARKS
        if not isinstance(marks, dict) or not all(isinstance(value, dict) for value in marks.values()):
            return _UNREADABLE_MARKS
        return marks

    def _owner_is_dead(self, path: Path) -> bool:
        lock = FileLock(path / _OWNER, "look for dead writers")
        dead = not (path / _OWNER).exists() or lock.try_acquire()
        lock.release()
        return dead


def _is_set(entry: os.DirEntry[str], prefixes: tuple[str, ...] = ("",)) -> bool:
    """Whether a directory entry is a set of ours, by its name behind one of the prefixes. Links never are."""
    named = any(entry.name.startswith(prefix) and is_id(entry.name[len(prefix) :]) for prefix in prefixes)
    return named and entry.is_dir(follow_symlinks=False)
