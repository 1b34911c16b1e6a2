"""The files that build Dockerfiles, in the editor: the index in small steps between messages, what is found in them,
and what a fix of a Dockerfile needs of them.

Nothing here runs while a message waits: a step lists one folder or reads one file, and a keystroke is answered first.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls import uris

from buildhush.companions.findings import (
    CompanionFinding,
    CompanionFix,
    comment_fix,
    findings_for,
    findings_in,
    fixes_of,
)
from buildhush.companions.index import CallerIndex, LinkedCaller, Progress
from buildhush.companions.readers import kind_of
from buildhush.companions.reading import Reading
from buildhush.companions.repairs import FileEdits, caller_edits
from buildhush.knowledge.values import hushed
from buildhush.lsp.convert import Positions
from buildhush.lsp.documents import Document, path_of
from buildhush.lsp.edits import ChangedFile, assembled
from buildhush.lsp.names import Names
from buildhush.lsp.places import names_of
from buildhush.lsp.protocol import costing
from buildhush.lsp.transport import BETWEEN_STEPS
from buildhush.rules.api import PassedSecret, Safety, Severity
from buildhush.text.spans import Span

if TYPE_CHECKING:
    from buildhush.companions.build_contexts import ContextPlaces
    from buildhush.engine import Analysis
    from buildhush.lsp.server import BuildhushServer

logger = logging.getLogger(__name__)

BUDGET = 0.004
"""Seconds of work between two looks at whether a message waits; one file may take longer."""

MOST_PUBLISHED = 200
"""Files that are not open and get diagnostics all the same."""

UNREAD = "This could not be read: what it says about builds may be missing, and no fix edits this file"
FAILED = "Reading this failed inside buildhush: what it says about builds is missing, and no fix edits this file"
_MAY_BUILD = re.compile(r"docker|podman|buildah|nerdctl")
_SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFORMATION: 3, Severity.HINT: 4}
_REPEATED_AFTER = 0.3


class Companions:
    """All that the server knows of callers. Made when the client is initialized."""

    def __init__(self, server: BuildhushServer, roots: tuple[str, ...]) -> None:
        self._server = server
        self.index = CallerIndex(roots, self.text, tell=self._failed)
        self._scan: Iterator[Progress] | None = self.index.scan() if roots else None
        self._scanned_files = 0
        self._dirty: dict[str, float] = {}
        self._pending: list[str] = []
        self._published: set[str] = set()
        self._analyses: dict[str, tuple[tuple[int, int, ContextPlaces], Analysis]] = {}
        self._token: str | None = None

    # Being told.

    def changed(self, document: Document) -> None:
        """A document was opened or edited."""
        if document.path is None:
            return
        if document.is_dockerfile or kind_of(document.path) is not None or self.index.readers_of(document.path):
            self._dirty[document.path] = time.monotonic()

    def closed(self, document: Document) -> None:
        """A document was closed: the disk counts again."""
        self.changed(document)

    def files_changed(self, params: Any) -> None:
        """`workspace/didChangeWatchedFiles`."""
        changes = params.get("changes") if isinstance(params, dict) else None
        for change in changes if isinstance(changes, list) else ():
            path = path_of(change.get("uri", "")) if isinstance(change, dict) else None
            if path is not None:
                self._analyses.pop(path, None)
                self._dirty[path] = 0.0

    def files_moved(self, paths: list[str]) -> None:
        """Files or folders were made, renamed or deleted in the editor: old and new paths.

        Of a folder an editor does not name the files, and watching them tells of none.
        """
        single = [path for path in paths if not os.path.isdir(path) and self._is_file_name(path)]
        self._dirty.update(dict.fromkeys(single, 0.0))
        if len(single) < len(paths):
            self.roots_changed(self.index.roots)

    def _is_file_name(self, path: str) -> bool:
        """Whether nothing is known below a path, so that it was no folder."""
        inside = path.rstrip(os.sep) + os.sep
        return not any(each.startswith(inside) for each in (*self.index.dockerfiles, *self.index.paths))

    def roots_changed(self, roots: tuple[str, ...]) -> None:
        """Other workspace folders: everything is looked through again."""
        self.index = CallerIndex(roots, self.text, tell=self._failed)
        self._analyses.clear()
        self._scanned_files = 0
        self._scan = self.index.scan() if roots else None
        if self._scan is None:
            self._all_anew()
        for document in self._server.documents:
            self.changed(document)

    def _failed(self, path: str, reason: str) -> None:
        """Of a folder or file nothing is known, because something failed inside."""
        logger.error("%s could not be looked at: %s", self.shown(path), reason)

    # Working between messages.

    def step(self) -> float | None:
        """A little work; in how many seconds there is more, None for nothing more."""
        until = time.monotonic() + BUDGET
        while time.monotonic() < until:
            if not self._one_step():
                # What waits for a pause in the typing needs another look then.
                return self._until_pause()
        return BETWEEN_STEPS

    def _until_pause(self) -> float | None:
        if not self._dirty:
            return None
        return max(min(self._dirty.values()) + _REPEATED_AFTER - time.monotonic(), BETWEEN_STEPS)

    def _one_step(self) -> bool:
        # What is being typed is read again only when the typing pauses.
        now = time.monotonic()
        path = next((path for path, when in self._dirty.items() if now - when > _REPEATED_AFTER), None)
        if path is not None:
            del self._dirty[path]
            self._refreshed(path)
            return True
        if self._scan is not None:
            self._scan_step()
            return True
        if self._pending:
            self._publish(self._pending.pop())
            return True
        return False

    def _scan_step(self) -> None:
        assert self._scan is not None
        try:
            progress = next(self._scan)
        except StopIteration:
            self._scan = None
            self._end_progress()
            self._tell_bound()
            self._all_anew()
            return
        if progress.files >= self._scanned_files + 250:
            self._scanned_files = progress.files
            self._report_progress(progress)

    def _refreshed(self, path: str) -> None:
        version = self.index.version
        built = {link.dockerfile for _, link in self.index.callers_in(path) if link}
        self.index.update(path)
        self._pending = list(dict.fromkeys([*self._pending, *self.index.readers_of(path)]))
        if kind_of(path) is not None:
            self._publish(path)
            if self.index.version != version:
                built |= {link.dockerfile for _, link in self.index.callers_in(path) if link}
                self._redraw_dockerfiles(built)
        else:
            callers = list(dict.fromkeys(link.caller.file for link in self.index.callers_of(path)))
            self._pending = list(dict.fromkeys((*self._pending, *callers)))
            if any(self._server.documents.get(self.uri(caller)) is not None for caller in callers):
                self._ask_to_pull()

    def _all_anew(self) -> None:
        self._redraw_dockerfiles(set(self.index.dockerfiles))
        shown = [path for uri in sorted(self._published) if (path := path_of(uri)) is not None]
        found = [file.path for file in self.index.files if file.callers or file.problems]
        failed = sorted(path for path in self.index.failed if kind_of(path) is not None)
        self._pending = list(dict.fromkeys((*shown, *found, *failed)))

    def _redraw_dockerfiles(self, paths: set[str]) -> None:
        if self._server.client.pull_diagnostics:
            self._ask_to_pull()
            return
        for document in self._server.documents:
            if document.is_dockerfile and document.path in paths:
                self._server._schedule(document)

    def _ask_to_pull(self) -> None:
        if "workspace/diagnostic/refresh" in self._server.client.refreshes:
            self._server.protocol.ask("workspace/diagnostic/refresh", None, _no_answer_needed)

    def _report_progress(self, progress: Progress) -> None:
        if not self._server.client.work_done_progress:
            return
        protocol = self._server.protocol
        if self._token is None:
            self._token = "buildhush-index"
            protocol.ask("window/workDoneProgress/create", {"token": self._token}, _no_answer_needed)
            value: dict[str, Any] = {"kind": "begin", "title": "Looking for what builds the Dockerfiles"}
        else:
            value = {"kind": "report", "message": f"{progress.files} files"}
        protocol.notify("$/progress", {"token": self._token, "value": value})

    def _tell_bound(self) -> None:
        """Says once for these folders that not all of them was looked through: a home folder was opened, perhaps."""
        if self.index.bound is not None:
            message = (
                f"buildhush ended its look for files that build Dockerfiles after {self.index.bound}: some may be "
                "missed, and no fix changes those. To have all of them, open the project's own folder."
            )
            self._server.protocol.notify("window/showMessage", {"type": 3, "message": message})

    def _end_progress(self) -> None:
        if self._token is not None:
            self._server.protocol.notify("$/progress", {"token": self._token, "value": {"kind": "end"}})
            self._token = None

    # Diagnostics.

    def items_for_dockerfile(self, document: Document, analysis: Analysis) -> list[str]:
        """The diagnostics, as JSON, that stand in a Dockerfile because of its callers."""
        if document.path is None:
            return []
        with costing("a look at the callers"):
            positions = self._server.positions(document)
            found = findings_for(self.index, document.path, analysis)
            reading = Reading(self.index)
            return [json.dumps(self._item(document, positions, each, reading)) for each in found]
        return []

    def items(self, uri: str) -> list[dict[str, Any]]:
        """The diagnostics of a companion file, as plain JSON."""
        path = path_of(uri)
        if path is None or kind_of(path) is None:
            return []
        self.index.update(path)
        document = self.document(path)
        if document is None:
            return []
        positions = self._server.positions(document)
        reading = Reading(self.index)
        found = [self._item(document, positions, each, reading) for each in self.findings(path)]
        unread = self._unread(path, document, positions)
        file = self.index.file(path)
        for loose in file.loose_ends if file is not None else ():
            found.append(_problem(positions, loose.span, Severity.INFORMATION, "not-found", hushed(loose.message)))
        return found if unread is None else [*found, unread]

    def _unread(self, path: str, document: Document, positions: Positions) -> dict[str, Any] | None:
        """That a file that builds something, or may do so, could not be read wholly: said once, at the first place."""
        if path in self.index.failed:
            return _problem(positions, Span(0, 0), Severity.WARNING, "internal-error", FAILED)
        file = self.index.file(path)
        if file is None or not file.problems or not (file.callers or _may_build(path, file.text)):
            return None
        first = min(file.problems)
        line_end = document.lines.line_end(document.lines.line_at(first.start))
        span = Span(first.start, min(first.end, max(line_end, first.start)))
        return _problem(positions, span, Severity.INFORMATION, "syntax", UNREAD)

    def _publish(self, path: str) -> None:
        uri = self.uri(path)
        document = self._server.documents.get(uri)
        is_known = document is not None or self.index.file(path) is not None or path in self.index.failed
        if self._server.client.pull_diagnostics or not is_known:
            if uri in self._published:
                self._published.discard(uri)
                self._send(uri, None, [])
            return
        if document is None and uri not in self._published and len(self._published) >= MOST_PUBLISHED:
            return
        items = self.items(uri)
        if not items and uri not in self._published and document is None:
            return
        self._published.add(uri)
        self._send(uri, document.version if document is not None else None, items)

    def _send(self, uri: str, version: int | None, items: list[dict[str, Any]]) -> None:
        params: dict[str, Any] = {"uri": uri, "diagnostics": items}
        if version is not None:
            params["version"] = version
        self._server.protocol.notify("textDocument/publishDiagnostics", params)

    def findings(self, path: str) -> tuple[CompanionFinding, ...]:
        """The findings that stand in a companion file, as the index knows it."""
        document = self.document(path)
        if document is None:
            return ()
        with costing("a look at a file that builds Dockerfiles"):
            return findings_in(self.index, path, self.analysis, self._server.configuration.settings(document))
        return ()

    def _item(
        self, document: Document, positions: Positions, finding: CompanionFinding, reading: Reading
    ) -> dict[str, Any]:
        from buildhush.lsp.diagnostics import DOCUMENTATION, SOURCE, UNNECESSARY

        client = self._server.client
        item: dict[str, Any] = {
            "range": _range(positions, finding.span),
            "severity": _SEVERITIES[finding.severity],
            "code": finding.rule,
            "source": SOURCE,
            "message": finding.message,
            "data": {"rule": finding.rule, "version": document.version, "fingerprint": _fingerprint(finding)},
        }
        if client.code_description:
            item["codeDescription"] = {"href": f"{DOCUMENTATION}{finding.rule}"}
        if finding.unnecessary and UNNECESSARY in client.diagnostic_tags:
            item["tags"] = [UNNECESSARY]
        if client.related_information and finding.related:
            item["relatedInformation"] = [
                {
                    "location": {
                        "uri": self.uri(place.file),
                        "range": _range(self._server.positions(other), place.span),
                    },
                    "message": place.message,
                }
                for place in finding.related
                if (other := self.document(place.file, reading)) is not None
            ]
        return item

    # Fixes.

    def code_actions(self, params: types.CodeActionParams) -> list[dict[str, Any]] | None:
        """The quick fixes of a companion file."""
        path = path_of(params.text_document.uri)
        if path is None or kind_of(path) is None or not self._server.client.literal_code_actions:
            return None
        self.index.update(path)
        return self._actions(path, self.findings(path), params)

    def dockerfile_actions(self, document: Document, params: types.CodeActionParams) -> list[dict[str, Any]]:
        """The quick fixes of findings that stand in a Dockerfile because of its callers."""
        if document.path is None or not self._server.client.literal_code_actions:
            return []
        with costing("repairing the callers"):
            analysis = self._server.analysis(document)
            return self._actions(document.path, findings_for(self.index, document.path, analysis), params) or []
        return []

    def _actions(
        self, path: str, found: tuple[CompanionFinding, ...], params: types.CodeActionParams
    ) -> list[dict[str, Any]] | None:
        only = params.context.only
        if only is not None and not any(each in ("", "quickfix") for each in only):
            return None
        document = self.document(path)
        if document is None:
            return None
        positions = self._server.positions(document)
        wanted = positions.span_from_range(params.range)
        reading = Reading(self.index)
        actions = []
        for finding in found:
            if finding.span.start > wanted.end or wanted.start > finding.span.end:
                continue
            with costing("repairing a file that builds Dockerfiles"):
                for index, fix in enumerate(fixes_of(reading, finding, self.analysis)):
                    edit = assembled(self._server, self._changed_files(fix.files, reading, fix.note))
                    if not edit.changes and not edit.document_changes:
                        continue  # This client can't make the file that it needs.
                    action: dict[str, Any] = {
                        "title": _title(fix),
                        "kind": "quickfix",
                        "diagnostics": [self._item(document, positions, finding, reading)],
                        "edit": edit,
                    }
                    if index == 0 and fix.safety is not Safety.UNSAFE and self._server.client.preferred_actions:
                        action["isPreferred"] = True
                    actions.append(action)
            with costing("ignoring a finding"):
                ignoring = comment_fix(reading, finding, self.analysis)
                if ignoring is not None:
                    actions.append(
                        {
                            "title": ignoring.title,
                            "kind": "quickfix",
                            "diagnostics": [self._item(document, positions, finding, reading)],
                            "edit": assembled(self._server, self._changed_files(ignoring.files, reading)),
                        }
                    )
        return actions

    def changes_for(self, document: Document, passes: tuple[PassedSecret, ...], reading: Reading) -> list[FileEdits]:
        """What the callers of a Dockerfile need once a fix makes them pass secrets.

        `reading`: one for all fixes that a request asks for.
        """
        if document.path is None or not passes:
            return []
        with costing("repairing the callers"):
            self.look_around()
            for link in self.index.callers_of(document.path):
                reading.refresh(link.caller.file)
            return list(caller_edits(reading, document.path, passes))
        return []

    def changed_files(
        self, document: Document, passes: tuple[PassedSecret, ...], reading: Reading
    ) -> list[ChangedFile]:
        """The callers' part of a fix of a Dockerfile."""
        return self._changed_files(self.changes_for(document, passes, reading), reading)

    def _changed_files(self, files: Iterable[FileEdits], reading: Reading, note: str = "") -> list[ChangedFile]:
        """For an edit; `note` belongs to the first file."""
        found = []
        for number, file in enumerate(files):
            description = hushed(". ".join(filter(None, (*file.notes, "" if number else note))))
            label = hushed(file.description.replace("`", ""))
            found.append(
                ChangedFile(self.uri(file.path), self.document(file.path, reading), file.edits, label, description)
            )
        return found

    # Names in all files.

    def passed_ids(self, dockerfile: str) -> dict[str, str]:
        """The ids that the callers of a Dockerfile pass, each with the file that does."""
        passed: dict[str, str] = {}
        for link in self.index.callers_of(dockerfile):
            for secret in link.caller.secrets:
                if "$" not in secret.id:
                    passed.setdefault(secret.id, self.shown(link.caller.file))
        return passed

    def passing(self, dockerfile: str, secret_id: str) -> list[str]:
        """The callers of a Dockerfile that pass a secret, as a person names them."""
        links = self.index.callers_of(dockerfile)
        named = (
            f"`{self.shown(link.caller.file)}`: {link.caller.name}" for link in links if link.caller.passes(secret_id)
        )
        return list(dict.fromkeys(named))

    def fresh_callers_of(self, dockerfile: str) -> tuple[LinkedCaller, ...]:
        """The callers of a Dockerfile as their files are now."""
        for link in self.index.callers_of(dockerfile):
            self.index.update(link.caller.file)
        return self.index.callers_of(dockerfile)

    def names(self, path: str) -> Names | None:
        """The names of a Dockerfile; None when it can't be read."""
        document = self._server.documents.get(self.uri(path))
        if document is not None and document.is_dockerfile:
            return names_of(document, self._server.analysis(document))
        analysis = self.analysis(path)
        return None if analysis is None else Names(analysis.tree, {})

    def shown(self, path: str) -> str:
        """A path as a message has it: inside its workspace folder."""
        root = self.index.root_of(path)
        return os.path.basename(path) if root is None else os.path.relpath(path, root).replace(os.sep, "/")

    def look_around(self) -> None:
        """The rest of the first scan, as far as somebody who waits for an answer may be made to wait."""
        until = time.monotonic() + 1.0
        while self._scan is not None and time.monotonic() < until:
            with costing("a step of the look for what builds the Dockerfiles"):
                self._scan_step()

    # Texts.

    def text(self, path: str) -> str | None:
        """A file's text, from the open document or the disk."""
        document = self._server.documents.get(self.uri(path))
        if document is not None:
            return document.text
        text = self.index.read_disk(path)
        if text is None or text.isascii():
            return text
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def document(self, path: str, reading: Reading | None = None) -> Document | None:
        """The open document, or one made of what is on the disk; `reading`: what it was read with in this request."""
        uri = self.uri(path)
        document = self._server.documents.get(uri)
        if document is not None:
            return document
        text = self.text(path) if reading is None else reading.text(path)
        return None if text is None else Document(uri, "", None, text)

    def analysis(self, path: str) -> Analysis | None:
        """A Dockerfile's analysis: the open document's, else one kept as long as the file stays the same."""
        document = self._server.documents.get(self.uri(path))
        if document is not None and document.is_dockerfile:
            return self._server.analysis(document)
        try:
            status = os.stat(path)
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size, self.index.contexts_of(path))
        known = self._analyses.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        text = self.text(path)
        if text is None:
            return None
        analysis = self._server.analysis(Document(self.uri(path), "dockerfile", None, text))
        if len(self._analyses) >= 500:
            self._analyses.clear()
        self._analyses[path] = (stamp, analysis)
        return analysis

    def uri(self, path: str) -> str:
        """A path's URI; a document that is in no file goes by its own."""
        return path if self._server.documents.get(path) is not None else uris.from_fs_path(path) or ""


def _may_build(path: str, text: str) -> bool:
    kind = kind_of(path)
    return kind == "bake" or ("build" in text if kind == "compose" else _MAY_BUILD.search(text) is not None)


def _range(positions: Positions, span: Span) -> dict[str, Any]:
    line, character = positions.pair_from_offset(span.start)
    end_line, end_character = positions.pair_from_offset(span.end)
    return {"start": {"line": line, "character": character}, "end": {"line": end_line, "character": end_character}}


def _problem(positions: Positions, span: Span, severity: Severity, code: str, message: str) -> dict[str, Any]:
    """A diagnostic that is none of a rule's."""
    return {
        "range": _range(positions, span),
        "severity": _SEVERITIES[severity],
        "code": code,
        "source": "buildhush",
        "message": message,
    }


def _fingerprint(finding: CompanionFinding) -> str:
    return blake2b(f"{finding.rule}\0{finding.message}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def _title(fix: CompanionFix) -> str:
    return f"{fix.title} (check the result)" if fix.safety is Safety.UNSAFE else fix.title


def _no_answer_needed(result: Any, problem: Exception | None) -> None:
    """The client's reply says nothing."""
