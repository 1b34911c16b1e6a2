"""What the server offers, as the plain JSON of the reply to `initialize`."""

from __future__ import annotations

from typing import Any

from buildhush.lsp.client import Client

TOKEN_TYPES = ("variable", "string", "property")
TOKEN_MODIFIERS = ("secret",)

COMMANDS = (
    "buildhush.applyFix",
    "buildhush.fixAll",
    "buildhush.copyBuildCommand",
    "buildhush.showDocument",
    "buildhush.verify",
)

_ANY_FILE = {"filters": [{"scheme": "file", "pattern": {"glob": "**"}}]}

CODE_ACTION_KINDS = ("quickfix", "source.fixAll.buildhush")


def server_capabilities(client: Client) -> dict[str, Any]:
    """The reply for this client; diagnostics are offered for pulling only to a client that pulls."""
    capabilities: dict[str, Any] = {
        "positionEncoding": client.encoding,
        "textDocumentSync": {"openClose": True, "change": 2, "save": {"includeText": False}},
        "hoverProvider": True,
        "completionProvider": {"triggerCharacters": ["=", ",", "$", "{", "/", "-", " "], "resolveProvider": False},
        "definitionProvider": True,
        "referencesProvider": True,
        "documentHighlightProvider": True,
        "documentSymbolProvider": True,
        "codeActionProvider": (
            {"codeActionKinds": list(CODE_ACTION_KINDS), "resolveProvider": True}
            if client.literal_code_actions
            else True
        ),
        "codeLensProvider": {"resolveProvider": False},
        "renameProvider": {"prepareProvider": True} if client.prepares_rename else True,
        "foldingRangeProvider": True,
        "inlayHintProvider": {"resolveProvider": False},
        "semanticTokensProvider": {
            "legend": {"tokenTypes": list(TOKEN_TYPES), "tokenModifiers": list(TOKEN_MODIFIERS)},
            "full": {"delta": True},
            "range": True,
        },
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {
            "workspaceFolders": {"supported": True, "changeNotifications": True},
            # Of a folder that is renamed or deleted, those who watch files hear nothing.
            "fileOperations": {"didCreate": _ANY_FILE, "didRename": _ANY_FILE, "didDelete": _ANY_FILE},
        },
    }
    if client.pull_diagnostics:
        capabilities["diagnosticProvider"] = {
            "identifier": "buildhush",
            "interFileDependencies": False,
            "workspaceDiagnostics": False,
        }
    return capabilities
