"""Quick fixes for each finding, "fix all of this rule", fix all that is safe, and ignoring with a comment.

An action is computed from the document as it is now, whatever version the client's diagnostics are of. When the client
can ask for the edit later, an action only carries what is needed to compute it again, on the text of that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from buildhush.companions.reading import Reading
from buildhush.engine import Report, suppress_fix
from buildhush.lsp import fix_all
from buildhush.lsp.diagnostics import SOURCE, fingerprints, report_diagnostic, report_named
from buildhush.lsp.edits import Change, change_of, offered, title_of, workspace_edit
from buildhush.lsp.places import reports_at
from buildhush.lsp.protocol import content_modified, costing, invalid_params
from buildhush.rules.api import Fix, Safety

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

QUICK_FIX = "quickfix"
FIX_ALL = "source.fixAll.buildhush"
APPLY = "buildhush.applyFix"

MOST_REPORTS = 25
"""Findings that one selection gets actions for; a menu with more helps nobody."""

Action = dict[str, Any]


def code_actions(server: BuildhushServer, params: types.CodeActionParams) -> list[Action] | None:
    """The actions for a range."""
    document = server.dockerfile(params.text_document.uri)
    if document is None:
        return server.with_companions().code_actions(params)
    only = params.context.only
    actions: list[Action] = []
    if _wants(only, QUICK_FIX):
        actions += _quick_fixes(server, document, params)
        actions += server.with_companions().dockerfile_actions(document, params)
    # Clients ask for source actions by name; on every move of the caret nobody would see them.
    if only and _wants(only, FIX_ALL):
        actions += _fix_all_safe(server, document)
    if server.client.literal_code_actions:
        return actions
    return [_as_command(action) for action in actions]


def resolve(server: BuildhushServer, action: types.CodeAction) -> Action:
    """The action with its edit."""
    if not isinstance(action.data, dict):
        raise invalid_params("an action of this server expected")
    document, change = change_for(server, action.data)
    resolved: Action = server.protocol.plain(action)
    resolved["edit"] = workspace_edit(server, document, change)
    return resolved


def change_for(server: BuildhushServer, data: dict[str, Any]) -> tuple[Document, Change]:
    """What an action's data stands for, on the text as it is now. Raises the error reply when that is gone."""
    uri, kind, rule, name, title = (data.get(key) for key in ("uri", "kind", "rule", "fingerprint", "title"))
    document = server.dockerfile(uri) if isinstance(uri, str) else None
    if document is None:
        raise invalid_params("the document is not open")
    if kind == "safe":
        return document, fix_all.safe_fixes(server, document)
    if kind == "rule" and isinstance(rule, str):
        return document, fix_all.rule_fixes(server, document, rule)
    analysis = server.analysis(document)
    report = report_named(analysis, name) if isinstance(name, str) else None
    if report is None:
        raise content_modified()
    if kind == "ignore":
        return document, change_of(suppress_fix(analysis, report))
    fix = next((fix for fix in offered(document, analysis, report) if fix.title == title), None)
    if fix is None:
        raise content_modified()
    return document, change_of(fix)


def _wants(only: Sequence[str] | None, kind: str) -> bool:
    """Whether a filter lets a kind through: kinds are hierarchical, and the empty kind holds them all."""
    if only is None:
        return True
    return any(each in ("", kind) or kind.startswith(f"{each}.") for each in only)


def _quick_fixes(server: BuildhushServer, document: Document, params: types.CodeActionParams) -> list[Action]:
    analysis = server.analysis(document)
    reading = Reading(server.with_companions().index)
    names = dict(zip(map(id, analysis.reports), fingerprints(analysis), strict=True))
    span = server.positions(document).span_from_range(params.range)
    reports = list(reports_at(analysis, span))[:MOST_REPORTS]
    fixing: list[Action] = []
    ignoring: list[Action] = []
    seen_rules: dict[str, Fix] = {}
    for report in reports:
        server.check_cancelled()
        with costing("the quick fixes of a finding"):
            name = names[id(report)]
            diagnostics = _diagnostics(server, document, params, report, name)
            data = {"uri": document.uri, "version": document.version, "rule": report.rule.id, "fingerprint": name}
            with costing("ignoring a finding"):
                ignore = suppress_fix(analysis, report)
                ignored = {**data, "kind": "ignore", "title": ignore.title}
                change = change_of(ignore)
                ignoring.append(_action(server, reading, document, ignore.title, ignored, change, diagnostics))
            possible = offered(document, analysis, report)
            for index, fix in enumerate(possible):
                with costing("a quick fix"):
                    fixing.append(
                        _action(
                            server,
                            reading,
                            document,
                            title_of(fix),
                            {**data, "kind": "fix", "title": fix.title},
                            change_of(fix),
                            diagnostics,
                            preferred=index == 0 and fix.safety is not Safety.UNSAFE,
                        )
                    )
            usable = next((fix for fix in possible if fix.safety is not Safety.UNSAFE), None)
            if usable is not None:
                seen_rules.setdefault(report.rule.id, usable)
    for rule in seen_rules:
        count = sum(report.rule.id == rule for report in analysis.reports)
        if count > 1:
            with costing("fixing all findings of a rule"):
                data = {"uri": document.uri, "kind": "rule", "rule": rule}
                title = f"Fix all {count} findings of {rule} in this file"
                fixing.append(_action(server, reading, document, title, data, None, []))
    return fixing + ignoring


def _fix_all_safe(server: BuildhushServer, document: Document) -> Iterator[Action]:
    if not server.analysis(document).reports:
        return
    change = fix_all.safe_fixes(server, document)
    if change.edits or change.lines:
        reading = Reading(server.with_companions().index)
        data = {"uri": document.uri, "kind": "safe"}
        yield _action(
            server, reading, document, "Fix all findings that have a safe fix", data, change, [], kind=FIX_ALL
        )


def _action(
    server: BuildhushServer,
    reading: Reading,
    document: Document,
    title: str,
    data: dict[str, Any],
    change: Change | None,
    diagnostics: list[Any],
    *,
    kind: str = QUICK_FIX,
    preferred: bool = False,
) -> Action:
    client = server.client
    action: Action = {"title": title, "kind": kind}
    if diagnostics:
        action["diagnostics"] = diagnostics
    if preferred and client.preferred_actions:
        action["isPreferred"] = True
    if client.resolves_action_edits or not client.literal_code_actions:
        action["data"] = data
    else:
        change = change if change is not None else change_for(server, data)[1]
        action["edit"] = workspace_edit(server, document, change, reading)
    return action


def _as_command(action: Action) -> Action:
    return {"title": action["title"], "command": APPLY, "arguments": [action["data"]]}


def _diagnostics(
    server: BuildhushServer, document: Document, params: types.CodeActionParams, report: Report, name: str
) -> list[Any]:
    """The client's own diagnostics for the report when it sent them, so that it can match them; else ours."""
    sent = [
        diagnostic
        for diagnostic in params.context.diagnostics
        if diagnostic.source == SOURCE
        and isinstance(diagnostic.data, dict)
        and diagnostic.data.get("fingerprint") == name
    ]
    return list(sent) or [report_diagnostic(server, document, report, name)]
