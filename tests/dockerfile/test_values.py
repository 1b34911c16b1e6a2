"""Variables in words: expansion as BuildKit does it, where references stand, and a second opinion."""

from __future__ import annotations

import pytest
from dockerfile_parse.util import WordSplitter, extract_key_values
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dockerfile.describing import slice_of
from tests.dockerfile.fragments import texts

from buildhush.dockerfile.expansion import expand
from buildhush.dockerfile.lexer import dequoted
from buildhush.dockerfile.nodes import Assignment
from buildhush.dockerfile.parser import parse
from buildhush.dockerfile.values import references, run_time_references

VARIABLES = {"X": "foo/bar.tar.gz", "E": "", "ESC": "a*b", "1": "one"}

# word: what BuildKit makes of it (None: refuses it)
EXPANSIONS: dict[str, str | None] = {
    "plain": "plain",
    "$X": "foo/bar.tar.gz",
    "a${X}b": "afoo/bar.tar.gzb",
    "$X$X": "foo/bar.tar.gzfoo/bar.tar.gz",
    "$U-${U}": "-",
    "$1$12": "one",
    r"\$X": "$X",
    r"\\$X": r"\foo/bar.tar.gz",
    "'$X'": "$X",
    "\"$X '$X'\"": "foo/bar.tar.gz 'foo/bar.tar.gz'",
    r'"\$X \" \a"': r'$X " \a',
    r"a\ b": "a b",
    "$": "$",
    "a$": "a$",
    "$-": "",
    "$$": "",
    "$(x)": "$(x)",
    "${U:-d}": "d",
    "${E:-d}": "d",
    "${E-d}": "",
    "${U-d}": "d",
    "${X:-d}": "foo/bar.tar.gz",
    "${U:-${E:-${X}}}": "foo/bar.tar.gz",
    "${U:-'a b'}": "a b",
    "${X:+a}": "a",
    "${E:+a}": "",
    "${E+a}": "a",
    "${U+a}": "",
    "${X?no}": "foo/bar.tar.gz",
    "${U?no}": None,
    "${E:?no}": None,
    "${X#*/}": "bar.tar.gz",
    "${X##*.}": "gz",
    "${X%.*}": "foo/bar.tar",
    "${X%%.*}": "foo/bar",
    "${X#nothing}": "foo/bar.tar.gz",
    "${X%???}": "foo/bar.tar",
    r"${ESC#a\*}": "b",
    "${X/o/0}": "f0o/bar.tar.gz",
    "${X//o/0}": "f00/bar.tar.gz",
    r"${X/\//-}": "foo-bar.tar.gz",
    "${X//[.]/-}": "foo/bar.tar.gz",
    "${U/a/b}": "",
    "${X": None,
    "${": None,
    "${}": None,
    "${X^^}": None,
    "${X:1:2}": None,
    "${X/a": None,
    '"$X': None,
    "'$X": None,
}


@pytest.mark.parametrize("word", EXPANSIONS)
def test_expansion(word: str) -> None:
    assert expand(word, VARIABLES).value == EXPANSIONS[word]


def test_the_other_escape_character() -> None:
    assert expand(r"`$X \$E", VARIABLES, "`").value == "$X \\"


def test_quotes_that_mean_nothing() -> None:
    assert expand("'$X' \"$E\" it's", VARIABLES, quotes=False).value == "'foo/bar.tar.gz' \"\" it's"


def test_what_stayed_empty() -> None:
    expanded = expand("$U ${V} ${W:-d} $X", VARIABLES)
    assert expanded.unset == ("U", "V")
    assert [each.name for each in expanded.references] == ["U", "V", "W", "X"]


@pytest.mark.parametrize("word", ["${a:-" * 20_000, "$X" * 20_000, '"' * 20_001, "${X#" + "*a" * 10_000 + "}"])
def test_hostile_words_are_read(word: str) -> None:
    assert expand(word, {"X": "a" * 200}).value is None or len(word) < 40_001


def test_a_value_that_doubles_is_stopped() -> None:
    values = {"A": "x" * 60_000}
    assert expand("$A$A", values).value is None


@given(texts())
@settings(max_examples=200, deadline=None)
def test_any_word_is_read(word: str) -> None:
    expanded = expand(word, {"x": "value"})
    for each in expanded.references:
        assert word[slice_of(each.name_span)] == each.name
        assert word[each.span.start] == "$"


# text of one instruction: the references as `name@text`
REFERENCES: dict[str, list[str]] = {
    "FROM --platform=$A b:${C:-$D}\n": ["A@$A", "C@${C:-$D}", "D@$D"],
    "COPY --chown=$A:${B} --from=$C $D e/$F /g\n": ["A@$A", "B@${B}", "D@$D", "F@$F"],
    'COPY ["$A b", "$C"]\n': ["A@$A", "C@$C"],
    'COPY ["a\\n$A", "c"]\n': ['A@"a\\n$A"'],
    "COPY --exclude=$A b c\n": [],
    "ADD --checksum=$A https://x/$B /c\n": ["A@$A", "B@$B"],
    "COPY <<E /x\n$A '$B' \\$C\nE\n": ["A@$A", "B@$B"],
    "COPY <<'E' /x\n$A\nE\n": [],
    "ENV $A=$B C='$D' E=\"$F\"\n": ["A@$A", "B@$B", "F@$F"],
    "ENV A $B c ${D%x}\n": ["B@$B", "D@${D%x}"],
    "ARG A=$B\n": ["B@$B"],
    "LABEL a.b=$C\n": ["C@$C"],
    "USER $A\n": ["A@$A"],
    "WORKDIR /a/${B}\n": ["B@${B}"],
    "EXPOSE $A ${B}/udp\n": ["A@$A", "B@${B}"],
    'VOLUME ["/a/$B"]\n': ["B@$B"],
    "STOPSIGNAL $A\n": ["A@$A"],
    "MAINTAINER $A\n": [],
    "RUN echo $A\n": [],
    "RUN --mount=type=secret,id=$A,target=/b/${C} --network=$D echo $E\n": ["A@$A", "C@${C}"],
    "CMD echo $A\n": [],
    "ONBUILD ENV A=$B\n": ["B@$B"],
    "ONBUILD COPY <<E /x\n$A\nE\n": ["A@$A"],
    "ENV A=$LO\\\nNG \\\n # $NO\n B=$C\n": ["LONG@$LO\\\nNG", "C@$C"],
    "FOO $A\n": [],
    "ENV A=${B C=$D\n": ["D@$D"],
}


@pytest.mark.parametrize("text", REFERENCES)
def test_references(text: str) -> None:
    (node,) = parse(text).instructions
    found = references(node)
    assert [f"{each.name}@{node.text[slice_of(each.span)]}" for each in found] == REFERENCES[text]
    for each in found:
        assert node.text[slice_of(each.name_span)].replace("\\\n", "") in (each.name, '"a\\n$A"')


def test_references_with_the_other_escape() -> None:
    (node,) = parse("# escape=`\nENV A=`$B C=\\$D\n").instructions
    assert [each.name for each in references(node, "`")] == ["D"]


def test_what_the_shell_expands_at_run_time() -> None:
    names = {
        "CMD run --token $A '$B' \"${C:-d}\"\n": ["A", "C"],
        'CMD ["run", "$A"]\n': [],
        "HEALTHCHECK CMD curl $A\n": ["A"],
        "ONBUILD ENTRYPOINT x $A\n": ["A"],
        "USER $A\n": [],
    }
    for text, expected in names.items():
        (node,) = parse(text).instructions
        assert [each.name for each in run_time_references(node)] == expected


PAIRS = (
    "A=b",
    "A=b C=d",
    "A='b c' D=\"e f\"",
    "A=b\\ c D=",
    'A="b \\" c"',
    "A=b=c",
    "A b",
    "A='it is' B=\"it's\"",
)


@pytest.mark.parametrize("arguments", PAIRS)
def test_pairs_agree_with_dockerfile_parse(arguments: str) -> None:
    (node,) = parse(f"ENV {arguments}\n").instructions
    assert isinstance(node, Assignment)
    mine = [(pair.key.value, pair.value.value if pair.value is not None else "") for pair in node.pairs]
    assert mine == extract_key_values(False, {}, {}, arguments)


@given(st.lists(st.sampled_from(("a", "b c", "'q r'", '"s t"', "\\ ", "=", "x=y", " ")), max_size=8).map("".join))
@settings(max_examples=100, deadline=None)
def test_dequoting_agrees_with_dockerfile_parse(word: str) -> None:
    assert dequoted(word, "\\") == WordSplitter(word).dequote()


# Where dockerfile-parse's word splitter differs from BuildKit, and we follow BuildKit.
DIFFERENCES: dict[str, tuple[str, str]] = {
    "operators": ("${U:-d}", "d"),
    "an escaped dollar in double quotes": ('"\\$X"', "$X"),
    "a doubled escape in double quotes": ('"a\\\\b"', "a\\b"),
    "a prefix removed": ("${X#foo/}", "bar.tar.gz"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_where_dockerfile_parse_differs(name: str) -> None:
    word, expected = DIFFERENCES[name]
    assert expand(word, VARIABLES).value == expected
    assert WordSplitter(word, args={}, envs=VARIABLES).dequote() != expected
