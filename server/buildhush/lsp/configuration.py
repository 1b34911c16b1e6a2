"""What the user has set, in the editor and in `.buildhush.toml`, and what lies around a Dockerfile.

A configuration file that can't be read keeps the last good one in force; the problem is shown where it stands. So does
one of which the reading failed inside, and a folder that could not be listed keeps its last listing.
Settings of the editor are laid over those of the file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from msgspec import Struct
from pygls import uris

from buildhush.companions.build_contexts import UNTOLD, BuildContexts, ContextPlaces, own_ignore_file
from buildhush.companions.dockerignore import ignore_files
from buildhush.companions.regular import read_regular
from buildhush.config import (
    FILE_NAME,
    OPTIONS,
    PROJECT_FILE_NAME,
    ConfigurationError,
    ConfigurationProblem,
    Override,
    Settings,
    load_config,
    parse_table,
)
from buildhush.config import Configuration as FileConfiguration
from buildhush.lsp.documents import path_of
from buildhush.lsp.protocol import costing

if TYPE_CHECKING:
    from buildhush.companions.context import BuildContext
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

logger = logging.getLogger(__name__)

SECTION = "buildhush"
LOOK_AGAIN_AFTER = 2.0
"""Seconds; for clients that do not tell of changed files."""

LIST_AGAIN_AFTER = 5.0
"""Seconds between two looks at the files around a Dockerfile."""

LONGEST_FILE = 1024 * 1024
"""Bytes of a configuration file that are read at most; a longer one is not one."""

_NO_FILE = FileConfiguration()
_DEFAULT = Settings()
_EDITOR = Path("editor settings")


class Configuration:
    """Settings by document, and the build context around it."""

    def __init__(self, server: BuildhushServer, initialize: Mapping[str, Any]) -> None:
        self._server = server
        self._folders = _folders(initialize)
        self._files: dict[Path, _Known] = {}
        self._doubted: set[Path] = set()
        """Folders of which one has to look at the files again before their settings are used."""
        self._settings: dict[str, tuple[tuple[int, str | None, int], Settings]] = {}
        self._contexts: dict[str, BuildContexts] = {}
        self._listings = _Listings(self._open_text)
        self._broken: set[Path] = set()
        self._gone: set[Path] = set()
        self._shown: set[str] = set()
        self._editor: Override | None = None
        self._editor_by_folder: dict[Path, Override | None] = {}
        """What the editor says for single folders of several."""
        options = initialize.get("initializationOptions")
        if isinstance(options, dict):
            section = options.get(SECTION)
            self._read_editor_settings(section if isinstance(section, dict) else options)

    def settings(self, document: Document) -> Settings:
        """What holds for a document."""
        file = self._for_folder(document.folder) if document.folder is not None else _NO_FILE
        editor = self._editor_for(document.path)
        key = (id(file), document.path, id(editor))
        known = self._settings.get(document.uri)
        if known is not None and known[0] == key:
            return known[1]
        settings = known[1] if known is not None else _DEFAULT
        with costing("working out settings"):
            laid = file.settings_for(document.path)
            settings = laid if editor is None else editor.applied_to(laid)
        self._settings[document.uri] = (key, settings)
        return settings

    def _editor_for(self, path: str | None) -> Override | None:
        if not self._editor_by_folder:
            return self._editor
        folders = [
            folder for folder in self._editor_by_folder if path is not None and Path(path).is_relative_to(folder)
        ]
        if not folders:
            return self._editor
        return self._editor_by_folder[max(folders, key=lambda folder: len(folder.parts))]

    def context(self, document: Document) -> BuildContexts | None:
        """The build contexts of a document: those of its callers, or its folder; None for a buffer without one.

        The same object as long as nothing has changed in the folders, so that what was found in them still holds.
        """
        if document.path is None:
            return None
        places = self.places(document.path)
        known = self._contexts.get(document.path)
        if known is None or known.places != places:
            known = self._contexts[document.path] = BuildContexts(document.path, places, self._listings.listed)
        return known

    def places(self, path: str) -> ContextPlaces:
        """Where the contexts of a Dockerfile lie, as far as its callers say."""
        companions = self._server.companions
        return UNTOLD if companions is None else companions.index.contexts_of(path)

    def look_again(self) -> None:
        """See, once in a while, whether the files around the documents have changed; then all is computed anew.

        Called between messages: no keystroke waits for the file system.
        """
        now = time.monotonic()
        changed = False
        for folder, known in list(self._files.items()):
            if now > known.look_at:
                changed = self._read(folder) is not known.configuration or changed
        looked = self._listings.look_again()
        if looked is not Look.NOTHING_NEW:
            self._contexts.clear()
        if changed or looked is Look.OTHER_SECRETS:
            self._server.analyse_again()

    def has_other_context(self, document: Document) -> bool:
        """Whether callers build a document with other contexts than its analysis was made with."""
        analysis = document.current_analysis
        if analysis is None or document.path is None or not isinstance(analysis.context, BuildContexts):
            return False
        return analysis.context.places != self.places(document.path)

    def _open_text(self, path: str) -> str | None:
        document = self._server.documents.get(uris.from_fs_path(path) or "")
        return None if document is None else document.text

    def register(self) -> None:
        """Ask the client for its settings, and to tell of changes, as far as it can."""
        client = self._server.client
        registrations = []
        if client.configuration_registration:
            registrations.append(
                {
                    "id": "buildhush-configuration",
                    "method": types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                    "registerOptions": {"section": SECTION},
                }
            )
        if client.watch_registration:
            from buildhush.companions.readers import WATCHED

            patterns = (f"**/{FILE_NAME}", f"**/{PROJECT_FILE_NAME}", "**/.dockerignore", "**/*.dockerignore", *WATCHED)
            registrations.append(
                {
                    "id": "buildhush-files",
                    "method": types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                    "registerOptions": {"watchers": [{"globPattern": pattern} for pattern in patterns]},
                }
            )
        if registrations:
            self._server.protocol.ask(
                types.CLIENT_REGISTER_CAPABILITY, {"registrations": registrations}, self._registered
            )
        self._ask_for_settings()

    def pushed(self, params: Any) -> None:
        """`workspace/didChangeConfiguration`: the settings, or word that they can be asked for."""
        settings = params.get("settings") if isinstance(params, dict) else None
        section = settings.get(SECTION) if isinstance(settings, dict) else None
        if isinstance(section, dict):
            self._take(section)
        elif not self._ask_for_settings() and isinstance(settings, dict):
            self._take(settings)

    def files_changed(self, params: Any) -> None:
        """`workspace/didChangeWatchedFiles`: read the configuration again."""
        self._doubted = set(self._files)
        self._contexts.clear()
        self._listings = _Listings(self._open_text)
        self._server.analyse_again()

    @property
    def folders(self) -> tuple[str, ...]:
        """The workspace folders."""
        return tuple(str(folder) for folder in self._folders)

    def concerns(self, params: Any) -> bool:
        """Whether a file that changed holds settings or ignore rules, or nobody says which file it was."""
        changes = params.get("changes") if isinstance(params, dict) else None
        if not isinstance(changes, list):
            return True
        named = [change.get("uri") for change in changes if isinstance(change, dict)]
        return any(isinstance(uri, str) and uri.endswith((".toml", ".dockerignore")) for uri in named) or not named

    def folders_changed(self, params: Any) -> None:
        """`workspace/didChangeWorkspaceFolders`."""
        event = params.get("event") if isinstance(params, dict) else None
        if not isinstance(event, dict):
            return
        removed = set(_paths(event.get("removed")))
        self._folders = [folder for folder in self._folders if folder not in removed]
        self._folders += [folder for folder in _paths(event.get("added")) if folder not in self._folders]
        self._editor_by_folder = {
            folder: said for folder, said in self._editor_by_folder.items() if folder not in removed
        }
        self.files_changed(params)
        self._ask_for_settings()

    def _registered(self, result: Any, problem: Exception | None) -> None:
        if problem is not None:
            logger.warning("the client refused to register capabilities")

    def _ask_for_settings(self) -> bool:
        if not self._server.client.configuration_pull:
            return False
        # What holds for one folder holds for the window; of several, each may have its own.
        folders = list(self._folders) if len(self._folders) > 1 else []
        items = [{"section": SECTION}]
        items += [{"scopeUri": uris.from_fs_path(str(folder)) or "", "section": SECTION} for folder in folders]
        self._server.protocol.ask(types.WORKSPACE_CONFIGURATION, {"items": items}, partial(self._answered, folders))
        return True

    def _answered(self, folders: list[Path], result: Any, problem: Exception | None) -> None:
        sections = result if problem is None and isinstance(result, list) else []
        before = (self._editor, dict(self._editor_by_folder))
        if sections and isinstance(sections[0], dict):
            self._read_editor_settings(sections[0])
        self._editor_by_folder = {}
        for folder, section in zip(folders, sections[1:], strict=False):
            if isinstance(section, dict):
                override = self._override(section, before[1].get(folder))
                # The same object as elsewhere where it says the same, so that nothing is computed anew.
                self._editor_by_folder[folder] = self._editor if override == self._editor else override
        if (self._editor, self._editor_by_folder) != before:
            self._server.analyse_again()

    def _take(self, section: Mapping[str, Any]) -> None:
        before = self._editor
        self._read_editor_settings(section)
        if self._editor != before:
            self._server.analyse_again()

    def _read_editor_settings(self, section: Mapping[str, Any]) -> None:
        self._editor = self._override(section, self._editor)

    def _override(self, section: Mapping[str, Any], otherwise: Override | None = None) -> Override | None:
        """An editor's settings; `otherwise` when they are wrong, which the user is told."""
        fields = {option.key: option.field for option in OPTIONS if option.field}
        named = {_kebab(key): value for key, value in section.items() if value is not None}
        # An editor holds settings of its own in the same section, such as the path of the server.
        # The list of rules that a settings page shows starts out empty, and nobody means "no rule" with it.
        table = {key: value for key, value in named.items() if key in fields and (key, value) != ("select", [])}
        try:
            settings = parse_table(table, _EDITOR).settings
        except ConfigurationError as error:
            for problem in error.problems:
                self._show_once(f"buildhush settings: {problem.key}: {problem.message}")
            return otherwise
        changes = {field: getattr(settings, field) for key, field in fields.items() if key in table}
        return Override(("*",), changes) if changes else None

    def _for_folder(self, folder: Path) -> FileConfiguration:
        known = self._files.get(folder)
        return known.configuration if known is not None and folder not in self._doubted else self._read(folder)

    def _read(self, folder: Path) -> FileConfiguration:
        known = self._files.get(folder)
        self._doubted.discard(folder)
        texts: list[tuple[Path, str]] = []
        configuration = known.configuration if known is not None else FileConfiguration(folder=folder)
        read_from = known.texts if known is not None else []
        with costing("reading a configuration"):
            try:
                read = load_config(folder, partial(_read_and_note, texts))
            except ConfigurationError as error:
                read_from = texts
                self._show(error)
            else:
                read_from = texts
                if known is None or known.texts != texts:  # Else the same object, so that nothing is computed anew.
                    configuration = read
                self._mended(folder, texts)
                self._missed(known.configuration.file if known is not None else None, read.file)
        self._files[folder] = _Known(configuration, read_from, self._next_look())
        return configuration

    def _next_look(self) -> float:
        # A client that watches files tells of every change; with any other one has to look.
        return float("inf") if self._server.client.watch_registration else time.monotonic() + LOOK_AGAIN_AFTER

    def _show(self, error: ConfigurationError) -> None:
        for problem in error.problems:
            self._show_once(str(problem))
        by_file: dict[str, list[ConfigurationProblem]] = {}
        for problem in error.problems:
            by_file.setdefault(problem.file, []).append(problem)
        for file, problems in by_file.items():
            self._broken.add(Path(file))
            self._publish(Path(file), [_diagnostic(problem) for problem in problems])

    def _mended(self, folder: Path, texts: list[tuple[Path, str]]) -> None:
        read = {path for path, _ in texts}
        for path in list(self._broken):
            if path in read or (folder.is_relative_to(path.parent) and not path.exists()):
                self._broken.discard(path)
                self._shown = {message for message in self._shown if not message.startswith(str(path))}
                self._publish(path, [])

    def _missed(self, before: Path | None, now: Path | None) -> None:
        """Says once that a file with settings is gone, for findings change with it."""
        if now is not None:
            self._gone.discard(now)
        if before is None or before == now or before in self._gone or before.exists():
            return
        self._gone.add(before)
        holds = "the defaults hold" if now is None else f"{now} holds"
        self._server.show(types.MessageType.Info, f"{before} is gone: {holds} again")

    def _publish(self, path: Path, diagnostics: list[dict[str, Any]]) -> None:
        if self._server.client.pull_diagnostics:
            return
        uri = uris.from_fs_path(str(path))
        self._server.protocol.notify(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, {"uri": uri, "diagnostics": diagnostics})

    def _show_once(self, message: str) -> None:
        if message not in self._shown:
            self._shown.add(message)
            self._server.show(types.MessageType.Warning, message)


class Look(Enum):
    """What a look at folders found."""

    NOTHING_NEW = 0
    OTHER_FILES = 1
    OTHER_SECRETS = 2
    """Files that look like secrets, or rules on what stays out."""


class _Listings:
    """The listings of build contexts, each shared by all Dockerfiles with the same ignore rules.

    `open_text` gives the text of a file that is open in the editor, which counts instead of the one on the disk.
    """

    def __init__(self, open_text: Callable[[str], str | None]) -> None:
        self._open_text = open_text
        self._known: dict[tuple[str, str | None], tuple[BuildContext, str | None, float]] = {}
        self._with_own_rules: dict[str, str | None] = {}

    def listed(self, folder: str, dockerfile: str | None) -> BuildContext:
        """As `read_context`; the listing that is known, as long as the text of an open ignore file is the same."""
        if dockerfile is not None and self._open_text(ignore_files(dockerfile, folder)[0]) is None:
            if dockerfile not in self._with_own_rules:
                self._with_own_rules[dockerfile] = own_ignore_file(dockerfile)
            dockerfile = self._with_own_rules[dockerfile]
        text = self._open_text(ignore_files(dockerfile, folder)[0])
        listing, listed_with, _ = self._known.get((folder, dockerfile), (None, None, 0.0))
        if listing is None or listed_with != text:
            from buildhush.companions.context import read_context

            listing = read_context(folder, dockerfile, text)
            self._known[folder, dockerfile] = listing, text, time.monotonic() + LIST_AGAIN_AFTER
        return listing

    def look_again(self) -> Look:
        """See whether the folders have changed, those that were not looked at for a while."""
        now = time.monotonic()
        waiting = [(key, known) for key, known in self._known.items() if now > known[2]]
        if not waiting:
            return Look.NOTHING_NEW
        rules = {dockerfile: own_ignore_file(dockerfile) for dockerfile in self._with_own_rules}
        found = Look.NOTHING_NEW if rules == self._with_own_rules else Look.OTHER_SECRETS
        self._with_own_rules = rules
        for key, (listing, text, _) in waiting:
            newer = listing
            with costing("listing a folder again"):
                newer = listing.refreshed()
            if newer != listing:
                found = Look.OTHER_SECRETS
            elif newer is not listing and found is Look.NOTHING_NEW:
                found = Look.OTHER_FILES
            self._known[key] = newer, text, time.monotonic() + LIST_AGAIN_AFTER
        return found


class _Known(Struct, frozen=True):
    """A configuration, the files that it was read from, and when to look at them again (`time.monotonic`)."""

    configuration: FileConfiguration
    texts: list[tuple[Path, str]]
    look_at: float


def _read_and_note(texts: list[tuple[Path, str]], path: Path) -> str | None:
    data = read_regular(path, LONGEST_FILE)
    if data is None:
        return None
    try:
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except ValueError:
        return None
    texts.append((path, text))
    return text


def _diagnostic(problem: ConfigurationProblem) -> dict[str, Any]:
    line = max(problem.line - 1, 0)
    return {
        "range": {"start": {"line": line, "character": 0}, "end": {"line": line + 1, "character": 0}},
        "severity": 1,
        "source": SECTION,
        "code": "configuration",
        "message": str(problem).split(": ", 1)[-1],
    }


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def _folders(initialize: Mapping[str, Any]) -> list[Path]:
    folders = _paths(initialize.get("workspaceFolders"))
    if not folders and isinstance(initialize.get("rootUri"), str):
        folders = _paths([{"uri": initialize["rootUri"]}])
    return folders


def _paths(folders: Any) -> list[Path]:
    found = []
    for folder in folders if isinstance(folders, list) else []:
        uri = folder.get("uri") if isinstance(folder, dict) else None
        path = path_of(uri) if isinstance(uri, str) else None
        if path:
            found.append(Path(path))
    return found
