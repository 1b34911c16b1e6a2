"""Workspaces for tests: files by relative path, an index over them, and what is found in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from buildhush.companions.build_contexts import BuildContexts
from buildhush.companions.findings import CompanionFinding, CompanionFix, findings_for, findings_in, fixes_of
from buildhush.companions.index import CallerIndex, read_file
from buildhush.companions.reading import Reading
from buildhush.engine import Analysis, analyze
from buildhush.text.spans import apply


class Workspace:
    """A folder with files in it."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        self.index = CallerIndex((str(root),))
        self.index.scan_now()

    def text(self, name: str) -> str:
        text = read_file(str(self.root / name))
        assert text is not None, name
        return text

    def analysis(self, path: str) -> Analysis | None:
        text = read_file(path)
        context = BuildContexts(path, self.index.contexts_of(path))
        return None if text is None else analyze(text, path=path, context=context)

    def findings(self, name: str) -> tuple[CompanionFinding, ...]:
        """What stands in a companion file, or in a Dockerfile because of its callers."""
        path = str(self.root / name)
        if self.index.file(path) is not None:
            return findings_in(self.index, path, self.analysis)
        analysis = self.analysis(path)
        assert analysis is not None
        return findings_for(self.index, path, analysis)

    def marked(self, name: str) -> list[tuple[str, str]]:
        """(rule, the text it stands on) of each finding."""
        text = self.text(name)
        return [(each.rule, text[each.span.start : each.span.end]) for each in self.findings(name)]

    def fixes(self, finding: CompanionFinding) -> tuple[CompanionFix, ...]:
        return fixes_of(Reading(self.index), finding, self.analysis)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8", newline="")
        self.index.update(str(self.root / name))

    def apply(self, fix: CompanionFix) -> None:
        """Apply a fix to all its files."""
        for file in fix.files:
            name = str(Path(file.path).relative_to(self.root))
            self.write(name, apply(read_file(file.path) or "", file.edits))
