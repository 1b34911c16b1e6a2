"""Commands of `workspace/executeCommand`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from buildhush.lsp import fix_all
from buildhush.lsp.code_actions import change_for
from buildhush.lsp.edits import Change, workspace_edit
from buildhush.lsp.lenses import command_for
from buildhush.lsp.protocol import invalid_params, request_failed

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer


def execute(server: BuildhushServer, params: types.ExecuteCommandParams) -> Any:
    """Runs a command; its result goes back to the client."""
    command = _COMMANDS.get(params.command)
    if command is None:
        raise invalid_params("unknown command")
    return command(server, list(params.arguments or []))


def _apply_fix(server: BuildhushServer, arguments: list[Any]) -> None:
    data = arguments[0] if arguments else None
    if not isinstance(data, dict):
        raise invalid_params("the data of a code action expected")
    document, change = change_for(server, data)
    _apply(server, document, change, "buildhush: fix")


def _fix_all(server: BuildhushServer, arguments: list[Any]) -> None:
    document = _document(server, arguments)
    _apply(server, document, fix_all.safe_fixes(server, document), "buildhush: fix all")


def _copy_build_command(server: BuildhushServer, arguments: list[Any]) -> str:
    """The command as text, for the client to copy; shown when the client is not known to do that."""
    document = _document(server, arguments)
    command = command_for(server, document)
    if "code" not in server.client.name.lower():
        server.show(types.MessageType.Info, command)
    return command


def _show_document(server: BuildhushServer, arguments: list[Any]) -> str:
    """A rule's documentation as Markdown."""
    from buildhush.rules.documents import render
    from buildhush.rules.registry import rule

    found = rule(arguments[0]) if arguments and isinstance(arguments[0], str) else None
    if found is None:
        raise invalid_params("the id of a rule expected")
    return render(found)


def _verify(server: BuildhushServer, arguments: list[Any]) -> Any:
    from buildhush.lsp.verification import verify

    return verify(server, _document(server, arguments))


def cancel_progress(server: BuildhushServer, params: Any) -> None:
    """Nothing that shows progress can be stopped half way: a build is not left with its containers behind."""


def _apply(server: BuildhushServer, document: Document, change: Change, label: str) -> None:
    if not server.client.apply_edit:
        raise request_failed("this editor can't apply edits that a server sends")
    if change.edits or change.lines:
        edit = workspace_edit(server, document, change)
        server.protocol.ask(types.WORKSPACE_APPLY_EDIT, {"label": label, "edit": edit}, _applied)


def _applied(result: Any, problem: Exception | None) -> None:
    """The client tells its user when it could not apply an edit."""


def _document(server: BuildhushServer, arguments: list[Any]) -> Document:
    uri = arguments[0] if arguments else None
    document = server.dockerfile(uri) if isinstance(uri, str) else None
    if document is None:
        raise invalid_params("the URI of an open Dockerfile expected")
    return document


_COMMANDS = {
    "buildhush.applyFix": _apply_fix,
    "buildhush.fixAll": _fix_all,
    "buildhush.copyBuildCommand": _copy_build_command,
    "buildhush.showDocument": _show_document,
    "buildhush.verify": _verify,
}
