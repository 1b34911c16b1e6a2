"""The language server: its life cycle, which module answers which method, and what they share.

Only what the reply to `initialize` needs is imported here; the engine and the features follow after it.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from buildhush import __version__
from buildhush.lsp import transport
from buildhush.lsp.capabilities import server_capabilities
from buildhush.lsp.client import Client, read_client
from buildhush.lsp.log import telling_of_failures
from buildhush.lsp.protocol import BuildhushProtocol, costing, invalid_params

if TYPE_CHECKING:
    from buildhush.engine import Analysis
    from buildhush.lsp.companions import Companions
    from buildhush.lsp.configuration import Configuration
    from buildhush.lsp.convert import Positions
    from buildhush.lsp.documents import Document, Documents
    from buildhush.text.spans import Edit

FEATURES = {
    types.TEXT_DOCUMENT_HOVER: "hover:hover",
    types.TEXT_DOCUMENT_COMPLETION: "completion:completion",
    types.TEXT_DOCUMENT_CODE_ACTION: "code_actions:code_actions",
    types.CODE_ACTION_RESOLVE: "code_actions:resolve",
    types.TEXT_DOCUMENT_DEFINITION: "navigation:definition",
    types.TEXT_DOCUMENT_REFERENCES: "navigation:references",
    types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: "navigation:highlight",
    types.TEXT_DOCUMENT_PREPARE_RENAME: "navigation:prepare_rename",
    types.TEXT_DOCUMENT_RENAME: "navigation:rename",
    types.TEXT_DOCUMENT_DOCUMENT_SYMBOL: "symbols:document_symbols",
    types.TEXT_DOCUMENT_FOLDING_RANGE: "symbols:folding_ranges",
    types.TEXT_DOCUMENT_INLAY_HINT: "hints:inlay_hints",
    types.TEXT_DOCUMENT_CODE_LENS: "lenses:code_lenses",
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL: "semantic_tokens:full",
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA: "semantic_tokens:delta",
    types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE: "semantic_tokens:in_range",
    types.WORKSPACE_EXECUTE_COMMAND: "commands:execute",
}
"""Method -> module and function; the function gets the server and lsprotocol's parameters."""

_FAILED = (
    "Something failed inside buildhush, so a part of what it shows may be missing. It goes on with all else; its log "
    "says where it failed, without any text of yours. Please report it."
)

STALE_AFTER = 0.25
"""Seconds that newer messages may hold back diagnostics before they are computed all the same."""

_OBJECTS_BEFORE_A_COLLECTION, _OBJECTS_WORTH_A_COLLECTION = 100_000, 5_000
"""So many new objects stop a message for the garbage collector, and so many are worth one in a pause. A file of 2,000
lines makes 10,000, nearly none of them garbage; a walk over them takes a hundredth of a second."""


class BuildhushServer(LanguageServer):
    """One client's server."""

    protocol: BuildhushProtocol

    def __init__(self) -> None:
        super().__init__(
            "buildhush", __version__, protocol_cls=BuildhushProtocol, converter_factory=default_converter, max_workers=2
        )
        self.client = Client()
        self.client_is_ready = False
        self._documents: Documents | None = None
        self._configuration: Configuration | None = None
        self._unpublished: dict[str, float] = {}
        self._warm = False
        self.companions: Companions | None = None
        """The files that build the Dockerfiles; None until there was time to look for them."""
        for method, target in FEATURES.items():
            module, function = target.split(":")
            self.protocol.fm.features[method] = partial(_call, self, module, function)
        self.protocol.raw |= {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.SHUTDOWN: self._shutdown_request,
            types.EXIT: self._exit,
            types.SET_TRACE: _ignore,
            types.WINDOW_WORK_DONE_PROGRESS_CANCEL: partial(_call, self, "commands", "cancel_progress"),
            types.TEXT_DOCUMENT_DID_OPEN: self._did_open,
            types.TEXT_DOCUMENT_DID_CHANGE: self._did_change,
            types.TEXT_DOCUMENT_DID_CLOSE: self._did_close,
            types.TEXT_DOCUMENT_DID_SAVE: self._did_save,
            types.TEXT_DOCUMENT_DIAGNOSTIC: partial(_call, self, "diagnostics", "pull"),
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: partial(self._configure, "pushed"),
            types.WORKSPACE_DID_CHANGE_WATCHED_FILES: self._files_changed,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: partial(self._configure, "folders_changed"),
            types.WORKSPACE_DID_CREATE_FILES: self._files_moved,
            types.WORKSPACE_DID_RENAME_FILES: self._files_moved,
            types.WORKSPACE_DID_DELETE_FILES: self._files_moved,
        }

    # What features use.

    @property
    def documents(self) -> Documents:
        """The open documents."""
        if self._documents is None:
            from buildhush.lsp.documents import Documents

            self._documents = Documents(self.client.encoding)
        return self._documents

    @property
    def configuration(self) -> Configuration:
        """What the user has set."""
        if self._configuration is None:
            from buildhush.lsp.configuration import Configuration

            self._configuration = Configuration(self, {})
        return self._configuration

    def dockerfile(self, uri: str) -> Document | None:
        """The open Dockerfile of that URI; None for any other document."""
        document = self.documents.get(uri)
        return document if document is not None and document.is_dockerfile else None

    def analysis(self, document: Document) -> Analysis:
        """Everything about the document as it is now."""
        if self.companions is not None and self.configuration.has_other_context(document):
            document.forget_analysis()
        return document.analysis(self._analyse)

    def positions(self, document: Document) -> Positions:
        """The converter for the document as it is now."""
        from buildhush.lsp.convert import Positions

        return Positions(document, self.client.encoding)

    def with_companions(self) -> Companions:
        """The files that build the Dockerfiles, looked for from now on at the latest."""
        if self.companions is None:
            from buildhush.lsp.companions import Companions

            self.companions = Companions(self, self.configuration.folders)
        return self.companions

    def check_cancelled(self) -> None:
        """Raises the error reply when the client no longer wants the answer."""
        self.protocol.check_cancelled()

    def show(self, kind: types.MessageType, message: str) -> None:
        """A message that the user sees."""
        self.protocol.notify(types.WINDOW_SHOW_MESSAGE, {"type": int(kind), "message": message})

    def analyse_again(self) -> None:
        """Settings, or files beside the Dockerfiles, have changed: everything is computed anew."""
        for document in self.documents:
            document.forget_analysis()
            self._schedule(document)
        for method in sorted(self.client.refreshes):
            self.protocol.ask(method, None, _no_answer_needed)

    # Life cycle.

    def _initialize(self, params: Any) -> dict[str, Any]:
        if not isinstance(params, dict):
            raise invalid_params("initialize parameters expected")
        self.client = read_client(params)
        process_id = params.get("processId")
        self.process_id = process_id if isinstance(process_id, int) and not isinstance(process_id, bool) else None
        self._initialize_params = params
        self.protocol.initialized = True
        return {
            "capabilities": server_capabilities(self.client),
            "serverInfo": {"name": self.name, "version": self.version},
        }

    def _initialized(self, params: Any) -> None:
        self.client_is_ready = True
        self._warm_up()
        self.configuration.register()

    def _warm_up(self) -> None:
        if self._warm:
            return
        self._warm = True
        from buildhush.lsp.configuration import Configuration

        self._configuration = Configuration(self, self._initialize_params)
        self._initialize_params = {}
        importlib.import_module("buildhush.lsp.diagnostics")
        # What is loaded by now lives as long as the process: the collector need not walk it on a keystroke, and a first
        # walk, to find the little that is garbage, would hold up the first diagnostics by a tenth of a second.
        gc.freeze()
        gc.enable()
        gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION, 20, 20)

    def _shutdown_request(self, params: Any) -> None:
        self.protocol._shutdown = True

    def _exit(self, params: Any) -> None:
        self.protocol.exit_code = 0 if self.protocol._shutdown else 1

    def _configure(self, method: str, params: Any) -> None:
        getattr(self.configuration, method)(params)
        if method == "folders_changed" and self.companions is not None:
            self.companions.roots_changed(self.configuration.folders)

    def _files_changed(self, params: Any) -> None:
        if self.companions is not None:
            self.companions.files_changed(params)
        if self.configuration.concerns(params):
            self.configuration.files_changed(params)

    def _files_moved(self, params: Any) -> None:
        """Files or folders were made, renamed or deleted in the editor."""
        from buildhush.lsp.documents import path_of

        files = params.get("files") if isinstance(params, dict) else None
        named = [file.get(key) for file in _dicts(files) for key in ("uri", "oldUri", "newUri")]
        paths = [path for uri in named if isinstance(uri, str) and (path := path_of(uri)) is not None]
        if paths and self.companions is not None:
            self.companions.files_moved(paths)
        if any(os.path.splitext(path)[1] in ("", ".toml", ".dockerignore") for path in paths):
            self.configuration.files_changed(None)

    def parent_lives(self) -> bool:
        """Whether the process that the client named still runs."""
        return self.process_id is None or transport.process_lives(self.process_id)

    # Documents.

    def _did_open(self, params: Any) -> None:
        self._changed(_checked(self.documents.open, params))

    def _did_change(self, params: Any) -> None:
        self._changed(_checked(self.documents.change, params))

    def _did_close(self, params: Any) -> None:
        document = _checked(self.documents.close, params)
        if document is not None:
            self._unpublished.pop(document.uri, None)
            if document.uri.endswith(".dockerignore"):
                self.configuration.files_changed(None)
            _call(self, "diagnostics", "clear", document)
            if self.companions is not None:
                self.companions.changed(document)

    def _did_save(self, params: Any) -> None:
        """A Dockerfile was analysed while it was typed; what lies around it is read from the disk."""
        item = params.get("textDocument") if isinstance(params, dict) else None
        uri = item.get("uri") if isinstance(item, dict) else None
        if isinstance(uri, str) and uri.endswith((".dockerignore", ".toml")):
            self.configuration.files_changed(params)

    def _changed(self, document: Document) -> None:
        if document.uri.endswith(".dockerignore"):
            self.configuration.files_changed(None)
        self._schedule(document)
        if self.companions is not None:
            self.companions.changed(document)

    def _schedule(self, document: Document) -> None:
        if document.is_dockerfile and not self.client.pull_diagnostics:
            self._unpublished.setdefault(document.uri, time.monotonic())
            if len(self._unpublished) > 1 or self._overdue(document.uri):
                self._publish_overdue()

    def _overdue(self, uri: str) -> bool:
        return time.monotonic() - self._unpublished[uri] > STALE_AFTER

    def _publish_overdue(self) -> None:
        for uri in [uri for uri in self._unpublished if self._overdue(uri)]:
            self._publish(uri)

    def idle(self) -> float | None:
        """No message waits: publish for the documents that changed, the longest waiting first; then the files around.

        In how many seconds there is more to do, None for nothing more.
        """
        if not self._unpublished:
            if not self.protocol.initialized:
                return None
            self._warm_up()
            if not self.client_is_ready:
                return None
            with costing("a look at the configuration"):
                self.configuration.look_again()
            return 0.0 if self._unpublished else self._step()
        for uri in list(self._unpublished):
            self._publish(uri)
        return transport.BETWEEN_STEPS

    def _step(self) -> float | None:
        # What fails was taken off the list before it was tried, so that the next step is another one.
        with costing("a look at a file that builds Dockerfiles"):
            pause = self.with_companions().step()
            if pause is None and gc.get_count()[0] > _OBJECTS_WORTH_A_COLLECTION:
                gc.collect(1)
            return pause
        return transport.BETWEEN_STEPS

    def _publish(self, uri: str) -> None:
        self._unpublished.pop(uri, None)
        document = self.documents.get(uri)
        if document is None:
            return
        with costing("publishing"):
            _call(self, "diagnostics", "publish", document)
            return
        with costing("publishing that it failed"):
            _call(self, "diagnostics", "publish_failure", document)

    def _analyse(self, document: Document, previous: Analysis | None, edit: Edit | None) -> Analysis:
        from buildhush.engine import analyze

        configuration = self.configuration
        return analyze(
            document.text,
            path=document.path,
            context=configuration.context(document),
            settings=configuration.settings(document),
            previous=previous,
            edit=edit,
        )

    # Serving.

    def serve(self, connection: transport.Connection) -> int:
        """Serve until the client leaves; the exit code."""
        output = transport.Output(connection.write, connection.sink)
        inbox = transport.inbox_of(connection, self.protocol.seen)
        self.protocol.output, self.protocol.look = output, inbox.look
        with telling_of_failures(self._tell_of_failure):
            return transport.run(inbox, output, self.protocol, self.parent_lives)

    def _tell_of_failure(self, text: str, is_first: bool) -> None:
        if not self.protocol.initialized:
            return
        error = int(types.MessageType.Error)
        self.protocol.notify(types.WINDOW_LOG_MESSAGE, {"type": error, "message": text})
        if is_first:
            self.show(types.MessageType.Warning, _FAILED)


def _call(server: BuildhushServer, module: str, function: str, *arguments: Any) -> Any:
    return getattr(importlib.import_module(f"buildhush.lsp.{module}"), function)(server, *arguments)


def _checked(function: Callable[[Any], Any], params: Any) -> Any:
    try:
        return function(params)
    except ValueError as error:
        raise invalid_params(str(error)) from None


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _ignore(params: Any) -> None:
    """A notification that changes nothing here."""


def _no_answer_needed(result: Any, problem: Exception | None) -> None:
    """The client's reply to a refresh says nothing."""


def serve_stdio() -> int:
    """Serve the client on standard input and output; the exit code."""
    gc.disable()  # Until everything is loaded; the collector would walk the growing heap again and again.
    server = BuildhushServer()
    source, sink = os.dup(sys.stdin.fileno()), os.dup(sys.stdout.fileno())
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(source, os.O_BINARY)
        msvcrt.setmode(sink, os.O_BINARY)
    # A stray print of a library would break the protocol: it goes where logs go.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with transport.connected(source, sink) as connection:
        return server.serve(connection)


def serve_tcp(host: str, port: int) -> int:
    """Wait for one client on a port and serve it; the exit code."""

    def announce(taken: int) -> None:
        print(f"listening on {host}:{taken}", file=sys.stderr, flush=True)

    with transport.connected_once(host, port, announce) as connection:
        return BuildhushServer().serve(connection)
