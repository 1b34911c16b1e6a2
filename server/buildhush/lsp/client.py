"""What the connected editor can do, read once from the capabilities that it sent.

Read from the plain JSON: turning the whole of it into objects would cost a third of the start-up time.
Names: `ClientCapabilities` of the Language Server Protocol 3.17 and 3.18.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

ENCODINGS = ("utf-8", "utf-16", "utf-32")


class Client(Struct, frozen=True):
    """`encoding`: the unit of columns, agreed on at start. The rest: what may be sent to this client."""

    name: str = ""
    encoding: str = "utf-16"
    pull_diagnostics: bool = False
    related_information: bool = False
    code_description: bool = False
    diagnostic_data: bool = False
    diagnostic_tags: frozenset[int] = frozenset()
    literal_code_actions: bool = False
    preferred_actions: bool = False
    resolves_action_edits: bool = False
    document_changes: bool = False
    creates_files: bool = False
    change_annotations: bool = False
    markdown_hover: bool = False
    markdown_completion: bool = False
    snippets: bool = False
    symbol_tree: bool = False
    prepares_rename: bool = False
    whole_line_folds: bool = False
    multiline_tokens: bool = False
    configuration_pull: bool = False
    configuration_registration: bool = False
    watch_registration: bool = False
    apply_edit: bool = False
    show_document: bool = False
    work_done_progress: bool = False
    refreshes: frozenset[str] = frozenset()


def read_client(params: Mapping[str, Any]) -> Client:
    """The client behind the parameters of `initialize`; whatever has an unexpected type counts as not supported."""
    capabilities = _Tree(params.get("capabilities"))
    text, workspace, window = (capabilities[name] for name in ("textDocument", "workspace", "window"))
    published = text["publishDiagnostics"]
    pulled = text["diagnostic"]
    # LSP 3.18 lets a pulling client say these apart; until then they were said for published ones only.
    related = published["relatedInformation"].is_true or pulled["relatedInformation"].is_true
    tags = published["tagSupport"]["valueSet"].numbers | pulled["tagSupport"]["valueSet"].numbers
    edit = workspace["workspaceEdit"]
    action = text["codeAction"]
    return Client(
        name=_Tree(params.get("clientInfo"))["name"].text,
        encoding=_encoding(capabilities["general"]["positionEncodings"].texts),
        pull_diagnostics=pulled.exists,
        related_information=related,
        code_description=published["codeDescriptionSupport"].is_true or pulled["codeDescriptionSupport"].is_true,
        diagnostic_data=published["dataSupport"].is_true or pulled.exists,
        diagnostic_tags=frozenset(tags),
        literal_code_actions=action["codeActionLiteralSupport"].exists,
        preferred_actions=action["isPreferredSupport"].is_true,
        resolves_action_edits=action["dataSupport"].is_true and "edit" in action["resolveSupport"]["properties"].texts,
        document_changes=edit["documentChanges"].is_true,
        creates_files="create" in edit["resourceOperations"].texts,
        change_annotations=edit["documentChanges"].is_true and edit["changeAnnotationSupport"].exists,
        markdown_hover="markdown" in text["hover"]["contentFormat"].texts,
        markdown_completion="markdown" in text["completion"]["completionItem"]["documentationFormat"].texts,
        snippets=text["completion"]["completionItem"]["snippetSupport"].is_true,
        prepares_rename=text["rename"]["prepareSupport"].is_true,
        symbol_tree=text["documentSymbol"]["hierarchicalDocumentSymbolSupport"].is_true,
        whole_line_folds=text["foldingRange"]["lineFoldingOnly"].is_true,
        multiline_tokens=text["semanticTokens"]["multilineTokenSupport"].is_true,
        configuration_pull=workspace["configuration"].is_true,
        configuration_registration=workspace["didChangeConfiguration"]["dynamicRegistration"].is_true,
        watch_registration=workspace["didChangeWatchedFiles"]["dynamicRegistration"].is_true,
        apply_edit=workspace["applyEdit"].is_true,
        show_document=window["showDocument"]["support"].is_true,
        work_done_progress=window["workDoneProgress"].is_true,
        refreshes=frozenset(
            method
            for name, method in (
                ("diagnostics", "workspace/diagnostic/refresh"),
                ("inlayHint", "workspace/inlayHint/refresh"),
                ("codeLens", "workspace/codeLens/refresh"),
                ("semanticTokens", "workspace/semanticTokens/refresh"),
            )
            if workspace[name]["refreshSupport"].is_true
        ),
    )


def _encoding(offered: frozenset[str] | tuple[str, ...]) -> str:
    # The client's order is its preference; UTF-16 is what both sides must know.
    return next((encoding for encoding in offered if encoding in ENCODINGS), "utf-16")


class _Tree:
    """A JSON value that may be anything; a missing member is an empty tree."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __getitem__(self, name: str) -> _Tree:
        return _Tree(self._value.get(name) if isinstance(self._value, dict) else None)

    @property
    def exists(self) -> bool:
        return isinstance(self._value, dict)

    @property
    def is_true(self) -> bool:
        return self._value is True

    @property
    def text(self) -> str:
        return self._value if isinstance(self._value, str) else ""

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(each for each in self._value if isinstance(each, str)) if isinstance(self._value, list) else ()

    @property
    def numbers(self) -> frozenset[int]:
        values = self._value if isinstance(self._value, list) else []
        return frozenset(each for each in values if isinstance(each, int))
