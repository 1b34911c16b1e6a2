"""Many fixes at once: one after the other on the analysed text, so that each sees what the ones before it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from buildhush.engine import Report, analyze
from buildhush.lsp.edits import Change, offered
from buildhush.rules.api import Fix, IgnoreEntry, PassedSecret, Safety
from buildhush.text.difference import line_edits
from buildhush.text.spans import apply

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer

Choice = Callable[[Report], "Fix | None"]

LONGEST = 3.0
"""Seconds; what was fixed by then is offered, the next call does the rest."""


def safe_fixes(server: BuildhushServer, document: Document) -> Change:
    """Every finding that has a safe fix, fixed."""
    return _fixed(server, document, lambda report: True, (Safety.SAFE,))


def rule_fixes(server: BuildhushServer, document: Document, rule_id: str) -> Change:
    """Every finding of one rule, fixed in the preferred way; fixes that a person must look at are left out."""
    wanted = (Safety.SAFE, Safety.NEEDS_SECRET_FLAG)
    return _fixed(server, document, lambda report: report.rule.id == rule_id, wanted)


def _fixed(
    server: BuildhushServer, document: Document, wants: Callable[[Report], bool], safeties: tuple[Safety, ...]
) -> Change:
    analysis = server.analysis(document)
    lines: list[IgnoreEntry] = []
    passes: list[PassedSecret] = []
    is_safe = True
    left_out = 0
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        server.check_cancelled()
        candidates = [report for report in analysis.reports if wants(report)]
        if left_out >= len(candidates):
            break
        report = candidates[left_out]
        fix = next((fix for fix in offered(document, analysis, report) if fix.safety in safeties), None)
        if fix is None:
            left_out += 1
            continue
        fixed = analyze(
            apply(analysis.text, fix.edits),
            path=document.path,
            context=server.configuration.context(document),
            settings=server.configuration.settings(document),
            previous=analysis,
        )
        remaining = sum(wants(report) for report in fixed.reports)
        if remaining >= len(candidates):
            # A fix whose remedy is a line in another file leaves the text, and so the finding, as it is.
            left_out += 1
        lines += fix.lines
        passes += fix.passes
        is_safe = is_safe and fix.safety is Safety.SAFE
        analysis = fixed
    return Change(
        line_edits(document.text, analysis.text),
        tuple(dict.fromkeys(lines)),
        tuple(dict.fromkeys(passes)),
        is_safe=is_safe,
    )
