"""What tree-sitter-bash is asked for."""

from __future__ import annotations

import pytest

from buildhush.shell.skeleton import Skeleton, end_of_logical_line, heredoc_terminator


@pytest.mark.parametrize(
    ("script", "construct", "kind"),
    [
        ("if a; then b; fi; c", "if a; then b; fi", "if_statement"),
        ("é='😀'; if a; then b; fi; c", "if a; then b; fi", "if_statement"),
        ("for i in a; do b; done; c", "for i in a; do b; done", "for_statement"),
        ("while a; do b; done >c", "while a; do b; done", "while_statement"),
        ("a && { b; } | c", "{ b; }", "compound_statement"),
        ("a; (b)", "(b)", "subshell"),
        ("[[ -n $a ]] && b", "[[ -n $a ]]", "test_command"),
        ("cat <<EOF; x\nfi ' (\nEOF\nif a; then b; fi", "if a; then b; fi", "if_statement"),
        ("cat <<A <<'B' && y\n(\nA\n'\nB\nif a; then b; fi", "if a; then b; fi", "if_statement"),
        ("cat <<-A | y\n\t(\n\tA\nif a; then b; fi", "if a; then b; fi", "if_statement"),
        ("a )))) '; if x; then y; fi", "if x; then y; fi", "if_statement"),
        ("a <> b ) ; if x; then y; fi", "if x; then y; fi", "if_statement"),
    ],
)
def test_construct(script: str, construct: str, kind: str) -> None:
    offset = script.rindex(
        {"compound_statement": "{", "subshell": "(", "test_command": "[["}.get(kind, kind.split("_")[0])
    )
    found = Skeleton(script).construct(offset, (kind,))
    assert (found and script[found[0].start_byte + found[1] : found[0].end_byte + found[1]]) == construct


@pytest.mark.parametrize("script", ['é "$(a ")" \'(\' $(b))" c', "x $(case a in b) c;; esac) d", "x <(a $(b)) c"])
def test_end_of_substitution(script: str) -> None:
    start = min(at for at in (script.find("$("), script.find("<(")) if at >= 0)
    end = Skeleton(script).end_of_substitution(start)
    assert end == script.rindex(")") + 1


def test_what_is_no_substitution_has_no_end() -> None:
    assert Skeleton("echo a").end_of_substitution(0) is None


def test_end_of_logical_line_skips_quoted_line_ends() -> None:
    text = "cat <<A 'b\nc' \"d\ne\" \\\nf\ng"
    assert end_of_logical_line(text, 7) == text.rindex("\n")
    assert end_of_logical_line("a", 0) == 1


@pytest.mark.parametrize(
    ("text", "strip", "line"),
    [
        ("a\nE\nb", False, "E"),
        ("E", False, "E"),
        ("aE\nE b\n E\n\tE\nE\r\n", False, "E"),
        ("a\n\t\tE\n", True, "\t\tE"),
        ("a\n\tE\n", False, None),
        ("", False, None),
    ],
)
def test_heredoc_terminator(text: str, strip: bool, line: str | None) -> None:
    found = heredoc_terminator(text, 0, "E", strip)
    assert (found and text[found[0] : found[1]]) == line
