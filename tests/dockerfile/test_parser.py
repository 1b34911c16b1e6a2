"""What each form of each instruction is read as. Expected values were compared with BuildKit's parser (v0.34)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dockerfile.describing import check_tree, described, slice_of
from tests.dockerfile.fragments import texts

from buildhush.dockerfile.nodes import Dockerfile, Instruction, Run
from buildhush.dockerfile.parser import directive_problems, parse

CASES: dict[str, tuple[str, list[str]]] = {
    # Lines
    "an empty file": ("", []),
    "blank lines and comments are one node": ("\n# a\n\n  # b\nUSER x\n", [r"~ '\n# a\n\n  # b\n'", "USER | ['x']"]),
    "no line end at the end": ("USER x", ["USER | ['x']"]),
    "white space before the keyword": (" \t USER x", ["USER | ['x']"]),
    "carriage returns before line feeds": ("USER a\r\n\r\nUSER b\r\n", ["USER | ['a']", r"~ '\r\n'", "USER | ['b']"]),
    "a lone carriage return is white space": ("RUN a\rUSER b\n", [r"RUN | 'a\rUSER b'"]),
    "other line separators end nothing": ("RUN a\u2028b\x0bc\x0cd\x85e\n", [r"RUN | 'a\u2028b\x0bc\x0cd\x85e'"]),
    "a byte order mark": ("\ufeffUSER x\n", ["USER | ['x']"]),
    "a byte order mark before a comment": ("\ufeff# c\nUSER x\n", [r"~ '\ufeff# c\n'", "USER | ['x']"]),
    "a byte order mark elsewhere is text": ("USER x\n\ufeffUSER y\n", ["USER | ['x']", "\ufeffUSER | ['y']"]),
    "any case": ("rUn a\ncopy b c\n", ["RUN | 'a'", "COPY | ['b'] to c from None"]),
    "a template marker": ("{{ if x }}\nRUN {{ cmd }}\n", ["{{ | ['if', 'x', '}}']", "RUN | '{{ cmd }}'"]),
    "an unknown instruction": ("FOO a b\n", ["FOO | ['a', 'b']"]),
    "a wide space belongs to the keyword": ("RUN\u00a0a b\n", ["RUN\xa0A | ['b']"]),
    # Continuations
    "a continuation": ("RUN a \\\n  b\n", ["RUN | 'a   b'"]),
    "white space behind the escape": ("RUN a \\ \t\n  b\n", ["RUN | 'a   b'"]),
    "a carriage return behind the escape": ("RUN a \\\r\n  b\r\n", ["RUN | 'a   b'"]),
    "a lone carriage return behind the escape": ("RUN a \\\r b\n", [r"RUN | 'a \\\r b'"]),
    "two escapes do not continue": ("RUN a \\\\\nUSER b\n", [r"RUN | 'a \\\\'", "USER | ['b']"]),
    "comments inside": ("RUN a \\\n# c\n  # d \\\n b\n", ["RUN | 'a  b'"]),
    "empty lines inside": ("RUN a \\\n\n \t\n b\n", ["RUN | 'a  b'"]),
    "a number sign behind text": ("RUN a \\\n b # c\n", ["RUN | 'a  b # c'"]),
    "joined in the middle of a word": ("RUN apt-\\\nget\n", ["RUN | 'apt-get'"]),
    "the keyword on the next line": ("\\\nUSER x\n", ["USER | ['x']"]),
    "the keyword in two lines": ("US\\\nER x\n", ["USER | ['x']"]),
    "the next instruction is swallowed": ("RUN a \\\n\nRUN b\n", ["RUN | 'a RUN b'"]),
    "the file ends in a continuation": ("RUN a \\\n", ["RUN | 'a'"]),
    "the file ends in a comment of one": ("RUN a \\\n# c", ["RUN | 'a'"]),
    # Directives
    "the other escape": (
        "# escape=`\nRUN a `\n b \\\nUSER c\n",
        [r"~ '# escape=`\n'", r"RUN | 'a  b \\'", "USER | ['c']"],
    ),
    "in any case, with white space": ("#  EsCaPe = ` \nRUN a `\n b\n", [r"~ '#  EsCaPe = ` \n'", "RUN | 'a  b'"]),
    "not behind a comment": ("# c\n# escape=`\nRUN a `\n", [r"~ '# c\n# escape=`\n'", "RUN | 'a `'"]),
    "not behind an empty line": ("\n# escape=`\nRUN a `\n", [r"~ '\n# escape=`\n'", "RUN | 'a `'"]),
    "behind another directive": (
        "# syntax=x\n# escape=`\nRUN a `\nb\n",
        [r"~ '# syntax=x\n# escape=`\n'", "RUN | 'a b'"],
    ),
    "an escape that BuildKit refuses": ("# escape=x\nRUN a \\\nb\n", [r"~ '# escape=x\n'", "RUN | 'a b'"]),
    # Flags
    "flags": ("RUN --network=none --mount=type=ssh a\n", ["RUN --network=none --mount=type=ssh | 'a'"]),
    "flags over lines": (
        "RUN --network=none \\\n  # c\n  --mount=type=ssh \\\n a\n",
        ["RUN --network=none --mount=type=ssh | 'a'"],
    ),
    "a flag cut by a continuation": ("RUN --net\\\nwork=no\\\nne a\n", ["RUN --network=none | 'a'"]),
    "quotes in a flag": ("COPY --chown='a b':\"c\" x y\n", ["COPY --chown=a b:c | ['x'] to y from None"]),
    "an escape in a flag": ("COPY --chown=a\\ b x y\n", ["COPY --chown=a b | ['x'] to y from None"]),
    "two dashes end the flags": ("RUN -- --a\n", ["RUN | '--a'"]),
    "dashes behind the first word are text": ("RUN a --b\n", ["RUN | 'a --b'"]),
    "a flag and nothing else": ("RUN --mount=type=ssh\n", ["RUN --mount=type=ssh | nothing"]),
    # Shell form and exec form
    "the exec form": ('RUN ["a", "b\\n\\u0041"]\n', [r"RUN | ['a', 'b\nA']"]),
    "the exec form over lines": ('CMD [ "a",\\\n "b" ]\n', ["CMD | ['a', 'b']"]),
    "an empty exec form": ("ENTRYPOINT []\n", ["ENTRYPOINT | []"]),
    "single quotes are no JSON": ("CMD ['a']\n", ["CMD | \"['a']\""]),
    "text behind the array": ('CMD ["a"] b\n', ["CMD | '[\"a\"] b'"]),
    "a test command is no array": ("RUN [ -f a ] && b\n", ["RUN | '[ -f a ] && b'"]),
    "an array cut off": ('CMD ["a", "b\n', ['CMD | \'["a", "b\'']),
    "a control character is no JSON": ('CMD ["a\tb"]\n', [r"""CMD | '["a\tb"]'"""]),
    "SHELL": ('SHELL ["bash", "-c"]\n', ["SHELL | ['bash', '-c']"]),
    "HEALTHCHECK": ("HEALTHCHECK --interval=3s CMD curl -f x\n", ["HEALTHCHECK --interval=3s | 'curl -f x'"]),
    "HEALTHCHECK in exec form": ('HEALTHCHECK CMD ["a"]\n', ["HEALTHCHECK | ['a']"]),
    "HEALTHCHECK NONE": ("HEALTHCHECK NONE\n", ["HEALTHCHECK | nothing"]),
    # Heredocs
    "a script": ("RUN <<EOF\na\n\nb\nEOF\nUSER x\n", [r"RUN | 'a\n\nb\n' | EOF: 'a\n\nb\n'", "USER | ['x']"]),
    "tabs removed": ("RUN <<-EOF\n\ta\n\t\tb \tc\n\tEOF\n", [r"RUN | 'a\nb \tc\n' | EOF: 'a\nb \tc\n'"]),
    "a command with a heredoc": ("RUN cat <<EOF >f\na\nEOF\n", [r"RUN | 'cat <<EOF >f\na\nEOF' | EOF: 'a\n'"]),
    "tabs stay for the shell": ("RUN cat <<-E\n\ta\n\tE\n", [r"RUN | 'cat <<-E\n\ta\nE' | E: 'a\n'"]),
    "two heredocs": ("RUN a <<A b <<B\n1\nA\n2\nB\n", [r"RUN | 'a <<A b <<B\n1\nA\n2\nB' | A: '1\n' | B: '2\n'"]),
    "an interpreter": (
        "RUN <<EOF\n#!/usr/bin/env python3\nx\nEOF\n",
        [r"RUN | '#!/usr/bin/env python3\nx\n' | by /usr/bin/env python3 | EOF: '#!/usr/bin/env python3\nx\n'"],
    ),
    "a quoted delimiter": ("RUN a <<'E F'\n$A\nE F\n", [r"""RUN | "a <<'E F'\n$A\nE F" | quoted E F: '$A\n'"""]),
    "COPY does not know a quoted space": (
        "COPY <<'E F' /x\n$A\nE F\n",
        [r"""COPY | ["<<'E", "F'"] to /x from None | quoted E F: '$A\n'"""],
    ),
    "a delimiter in double quotes": ('COPY <<"E" /x\n$A\nE\n', [r"COPY | [] to /x from None | quoted E: '$A\n'"]),
    "white space before the delimiter": ("RUN << EOF\na\nEOF\n", [r"RUN | 'a\n' | EOF: 'a\n'"]),
    "a file descriptor": ("RUN a 3<<EOF\nb\nEOF\n", [r"RUN | 'a 3<<EOF\nb\nEOF' | EOF: 'b\n'"]),
    "behind a continuation": ("RUN a \\\n  <<EOF\nb\nEOF\n", [r"RUN | 'a   <<EOF\nb\nEOF' | EOF: 'b\n'"]),
    "comments and escapes are content": ("RUN <<EOF\n# a \\\nEOF\n", [r"RUN | '# a \\\n' | EOF: '# a \\\n'"]),
    "carriage returns are content": ("RUN <<EOF\r\na\r\nEOF\r\n", [r"RUN | 'a\r\n' | EOF: 'a\r\n'"]),
    "a space before the end does not end": ("RUN <<E\n E\nE \nE\n", [r"RUN | ' E\nE \n' | E: ' E\nE \n'"]),
    "without end": ("RUN <<EOF\na\nUSER x\n", [r"RUN | 'a\nUSER x\n' | unterminated EOF: 'a\nUSER x\n'"]),
    "without end, twice": ("RUN a <<A <<B\nx", [r"RUN | 'a <<A <<B\nx\n' | unterminated A: 'x' | unterminated B: ''"]),
    "a here-string is none": ("RUN cat <<<EOF\nUSER x\n", ["RUN | 'cat <<<EOF'", "USER | ['x']"]),
    "a shift is none": ("RUN echo $((1<<2))\nUSER x\n", ["RUN | 'echo $((1<<2))'", "USER | ['x']"]),
    "in quotes it is none": (
        "RUN echo '<<EOF' \"<<E\"\nUSER x\n",
        ["RUN | 'echo \\'<<EOF\\' \"<<E\"'", "USER | ['x']"],
    ),
    "an open quote hides it": ("RUN echo it's <<EOF\nUSER x\n", ['RUN | "echo it\'s <<EOF"', "USER | ['x']"]),
    "glued to a word it is none": ("RUN cat<<EOF\nUSER x\n", ["RUN | 'cat<<EOF'", "USER | ['x']"]),
    "an operator BuildKit does not know hides it": (
        "RUN echo ${a^^} <<EOF\nUSER x\n",
        ["RUN | 'echo ${a^^} <<EOF'", "USER | ['x']"],
    ),
    "not in the exec form": ('RUN ["cat", "<<EOF"]\nUSER x\n', ["RUN | ['cat', '<<EOF']", "USER | ['x']"]),
    "not in other instructions": ("CMD cat <<EOF\nUSER x\n", ["CMD | 'cat <<EOF'", "USER | ['x']"]),
    "ADD": ("ADD <<a <<b c /d\n1\na\n2\nb\n", [r"ADD | ['c'] to /d from None | a: '1\n' | b: '2\n'"]),
    "ONBUILD": ("ONBUILD RUN cat <<E\na\nE\n", [r"ONBUILD | RUN | 'cat <<E\na\nE' | E: 'a\n' | E: 'a\n'"]),
    # Words
    "FROM": ("FROM --platform=$X a:1 AS B\n", ["FROM --platform=$X | a:1 as B"]),
    "FROM without image": ("FROM\n", ["FROM | None as None"]),
    "FROM while typing": ("FROM a AS\n", ["FROM | a as None"]),
    "COPY": ("COPY --from=b --chown=1:2 a b c/\n", ["COPY --from=b --chown=1:2 | ['a', 'b'] to c/ from b"]),
    "COPY in JSON": ('COPY ["a b", "c"]\n', ['COPY | [\'"a b"\'] to "c" from None']),
    "COPY does not know quotes": ('COPY "a b" c\n', ["COPY | ['\"a', 'b\"'] to c from None"]),
    "COPY of one word": ("COPY a\n", ["COPY | ['a'] to None from None"]),
    "ENV": ("ENV a=b c=\"d e\" f=g\\ h i='j k'\n", ["ENV | a=b | c=\"d e\" | f=g\\ h | i='j k'"]),
    "ENV over lines": ("ENV a=b \\\n # x\n c=d\n", ["ENV | a=b | c=d"]),
    "ENV, the old form": ("ENV a  b c=d \n", ["ENV | a b c=d"]),
    "ENV of a name": ("ENV a\n", ["ENV | a None"]),
    "ENV with an empty value": ("ENV a= b=\n", ["ENV | a= | b="]),
    "ENV with an open quote": ('ENV a="b c\n', ['ENV | a="b c']),
    "ARG": ("ARG a b=c d=\n", ["ARG | a None | b=c | d="]),
    "LABEL": ('LABEL "a b"="c" d=e\n', ['LABEL | "a b"="c" | d=e']),
    "ONBUILD of COPY": ("ONBUILD COPY --from=b a c\n", ["ONBUILD | COPY --from=b | ['a'] to c from b"]),
    "ONBUILD of nothing": ("ONBUILD\n", ["ONBUILD | nothing"]),
    "ONBUILD of ONBUILD": ("ONBUILD ONBUILD RUN a\n", ["ONBUILD | ONBUILD | ['RUN', 'a']"]),
    "one argument with spaces": ("WORKDIR /a b\nMAINTAINER a <b>\n", ["WORKDIR | ['/a b']", "MAINTAINER | ['a <b>']"]),
    "EXPOSE and VOLUME": ('EXPOSE 1 2/udp\nVOLUME ["/a b"]\n', ["EXPOSE | ['1', '2/udp']", "VOLUME | ['\"/a b\"']"]),
}


@pytest.mark.parametrize("name", CASES)
def test_reading(name: str) -> None:
    text, expected = CASES[name]
    tree = parse(text)
    assert described(tree) == expected
    check_tree(tree)


PROBLEMS: dict[str, tuple[str, str, str]] = {
    "an unknown instruction": ("FOO a", "unknown instruction: FOO", "FOO"),
    "an unknown flag": ("COPY --frm=a b c", "unknown flag: --frm", "--frm=a"),
    "a flag of another instruction": ("ADD --from=a b c", "unknown flag: --from", "--from=a"),
    "a flag twice": ("COPY --from=a --from=b c d", "duplicate flag specified: --from", "--from=b"),
    "a flag without its value": ("COPY --from a b", "missing a value on flag: --from", "--from"),
    "a boolean flag's value": ("COPY --link=x a b", "expecting boolean value for flag --link", "x"),
    "COPY of one word": ("COPY a", "COPY requires at least one source and a destination", "COPY"),
    "a heredoc as destination": ("COPY a <<E\nE\n", "COPY cannot accept a heredoc as a destination", "<<E"),
    "a heredoc without end": ("RUN <<E\na", "unterminated heredoc: no line 'E' follows", "<<E"),
    "FROM of two words": ("FROM a b", "FROM requires either one or three arguments", "FROM"),
    "a stage's name": (
        "FROM a AS 1x",
        "invalid name for build stage, name can't start with a number or contain symbols",
        "1x",
    ),
    "an array of numbers": ("CMD [1]", "when using JSON array syntax, arrays must be comprised of strings only", "[1]"),
    "ENV of a name": ("ENV a", "ENV must have two arguments", "ENV"),
    "ENV of a stray word": ("ENV a=b c", "can't find = in this word, it must be of the form: name=value", "c"),
    "ENV of no name": ("ENV =b", "ENV names can not be blank", "=b"),
    "RUN of an empty list": ("RUN []", "arguments are required", "RUN"),
    "ARG of nothing": ("ARG", "ARG requires at least one argument", "ARG"),
    "SHELL in shell form": ("SHELL a", "SHELL requires the arguments to be in JSON form", "SHELL"),
    "HEALTHCHECK of another type": ("HEALTHCHECK TCP 1", "unknown type in HEALTHCHECK (try CMD)", "TCP"),
    "HEALTHCHECK NONE of a word": ("HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments", "a"),
    "ONBUILD of FROM": ("ONBUILD FROM a", "FROM isn't allowed as an ONBUILD trigger", "FROM"),
    "ONBUILD of ONBUILD": ("ONBUILD ONBUILD RUN a", "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", "ONBUILD"),
    "an empty line inside": (
        "RUN a \\\n\n b",
        "empty line inside a continuation; it will become an error in a future release",
        "",
    ),
    "USER of nothing": ("USER", "USER requires exactly one argument", "USER"),
    "a mount's problem is the RUN's": ("RUN --mount=type=x a", 'unsupported mount type "x"', "x"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem(name: str) -> None:
    text, message, place = PROBLEMS[name]
    (node,) = parse(text).instructions
    assert [(each.message, node.text[slice_of(each.span)]) for each in node.problems] == [(message, place)]


@pytest.mark.parametrize("name", CASES)
def test_a_file_cut_off_anywhere(name: str) -> None:
    text, _ = CASES[name]
    for end in range(len(text)):
        check_tree(parse(text[:end]))


@given(texts())
@settings(max_examples=300, deadline=None)
def test_any_text_is_read(text: str) -> None:
    check_tree(parse(text))


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_characters_are_read(text: str) -> None:
    check_tree(parse(text))


@given(
    st.sampled_from(("ENV", "ARG", "RUN", "COPY", "FROM", "WORKDIR")),
    st.text("AB=_1:./-$\"'\\` \t#[,]", max_size=12) | st.text("A/ \\\n\t#<-[\r", max_size=12),
    st.sampled_from(("", "\n", "\r\n", " \n")),
)
@settings(max_examples=500, deadline=None)
def test_usual_instructions_are_read_like_unusual_ones(keyword: str, rest: str, end: str) -> None:
    """What is read by one match because it is written as usual says the same in lower case, which is not usual."""
    usual, unusual = (parse(f"{word} {rest}{end}") for word in (keyword, keyword.lower()))
    assert [_fields(node) for node in usual.instructions] == [_fields(node) for node in unusual.instructions]


def _fields(node: Instruction) -> list[object]:
    return [getattr(node, name) for name in node.__struct_fields__ if name != "text"]


def _only_run(text: str) -> Run:
    (node,) = parse(text).instructions
    assert isinstance(node, Run)
    return node


def test_positions_of_an_instruction() -> None:
    text = "  RUN --mount=type=ssh \\\n  # why\n  a \\\n  b  \n"
    node = _only_run(text)
    assert node.text == text
    assert text[slice_of(node.keyword_span)] == "RUN"
    assert text[slice_of(node.arguments_span)] == "a \\\n  b"
    assert text[node.end - 1] == "b"
    (flag,) = node.flags
    assert flag.value_span is not None
    assert (text[slice_of(flag.span)], text[slice_of(flag.name_span)], text[slice_of(flag.value_span)]) == (
        "--mount=type=ssh",
        "mount",
        "type=ssh",
    )
    assert node.script is not None
    assert node.script.text == "a   b"
    assert [node.script.source_offset(offset) for offset in range(5)] == [35, 36, 39, 40, 41]


def test_the_positions_of_a_heredoc() -> None:
    text = "RUN cat <<-'E' > f\n\t\ta\n\tE\n"
    node = _only_run(text)
    (heredoc,) = node.heredocs
    assert text[slice_of(heredoc.marker_span)] == "<<-'E'"
    assert text[slice_of(heredoc.body_span)] == "\t\ta\n"
    assert text[slice_of(heredoc.end_span)] == "E"
    assert heredoc.end_span.start == text.rindex("E")
    assert heredoc.body.source_offset(0) == text.index("a\n")
    assert text[slice_of(node.arguments_span)] == "cat <<-'E' > f"


def test_the_spans_of_a_trigger_are_those_of_its_onbuild() -> None:
    text = "USER a\nONBUILD RUN --mount=type=secret,id=x cat\n"
    tree = parse(text)
    outer = tree.instructions[1]
    trigger = outer.trigger  # type: ignore[attr-defined]
    assert outer.text[slice_of(trigger.keyword_span)] == "RUN"
    assert trigger.mounts[0].id == "x"


def test_directives() -> None:
    text = "\ufeff# Syntax = docker/dockerfile:1 \n# escape=`\n# check=skip=all;error=true\n# a comment\n# syntax=no\n"
    tree = parse(text)
    assert [(each.name, each.value) for each in tree.directives] == [
        ("syntax", "docker/dockerfile:1"),
        ("escape", "`"),
        ("check", "skip=all;error=true"),
    ]
    assert [text[slice_of(each.value_span)] for each in tree.directives] == [each.value for each in tree.directives]
    assert text[slice_of(tree.directives[1].span)] == "# escape=`"
    assert tree.escape == "`"


def test_what_is_wrong_with_directives() -> None:
    text = "# syntax=a\n# syntax=b\n# escape=x\nUSER y\n"
    tree = parse(text)
    assert tree.escape == "\\"
    assert [(each.message, text[slice_of(each.span)]) for each in directive_problems(tree.directives)] == [
        ("only one syntax parser directive can be used", "# syntax=b"),
        ("invalid escape token 'x' does not match ` or \\", "x"),
    ]


@pytest.mark.parametrize(
    ("text", "newline"), [("", "\n"), ("a\r\nb\n", "\r\n"), ("a\nb\r\n", "\n"), ("\r\n", "\r\n"), ("a\rb", "\n")]
)
def test_the_line_end_to_write(text: str, newline: str) -> None:
    assert parse(text).newline == newline


@pytest.mark.parametrize(
    "text",
    [
        "ENV GOOD=1 glpat-abcdefghij",
        "glpat-abcdefghij x",
        "HEALTHCHECK glpat-abcdefghij",
        "FROM a AS glpat-abcdefghij!",
        "COPY --link=glpat-abcdefghij a b",
        "RUN --mount=type=secret,id=a,tken=glpat-abcdefghij x",
    ],
)
def test_a_message_does_not_repeat_what_may_be_a_secret(text: str) -> None:
    (node,) = parse(text).instructions
    assert node.problems
    assert all("glpat" not in problem.message.lower() for problem in node.problems)


@pytest.mark.parametrize(
    "text",
    [
        "RUN " + "${a:-" * 20_000,
        "RUN x <<E " + '"${a:-' * 20_000,
        "ONBUILD " * 20_000,
        "CMD " + "[" * 20_000,
        "RUN " + "<<A " * 2_000,
        "RUN <<a\n" + "a" * 100_000 + "\n",
        "RUN <<-a\n" + "\t" * 100_000 + "b\n",
        "ENV " + 'a="' * 20_000,
        "RUN --" + "'" * 50_001,
        "RUN a \\\n" + "# c\n" * 50_000,
        "RUN a \\\n" + "b \\\n" * 50_000,
        " " * 100_000 + "\\",
        "COPY --mount=" + "\\" * 100_001,
        "RUN --mount=" + '"",' * 30_000 + " a",
    ],
    ids=range(14),
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = time.perf_counter()
    tree = parse(text)
    elapsed = time.perf_counter() - started
    assert "".join(node.text for node in tree.nodes) == text
    # Quadratic behaviour takes minutes on these; no machine is so busy that linear work does.
    assert elapsed < 30


def test_nodes_compare_by_identity() -> None:
    tree: Dockerfile = parse("RUN a\nRUN a\n")
    first, second = tree.nodes
    assert isinstance(first, Instruction)
    assert first != second
    assert (tree.start_of(first), tree.start_of(second)) == (0, 6)
    assert tree.holds(first)
    assert not parse("RUN a\n").holds(first)
