"""What `read` makes of everyday scripts, of bash's corners, and of texts that are cut off or no shell at all."""

from __future__ import annotations

import pytest
from tests.shell.rendering import render

from buildhush.shell import ir
from buildhush.shell.reader import MAX_LENGTH, read
from buildhush.shell.walk import walk
from buildhush.text.spans import Span

READINGS = [
    ("apt-get update", "[apt-get update]"),
    (
        'echo "My secret is $(cat /run/secrets/mysecret)" > /app/secret.txt',
        "[echo 'My secret is '+\"$([cat /run/secrets/mysecret])\" >/app/secret.txt]",
    ),
    (
        'SECRET=$(cat /run/secrets/mysecret) && echo "Secret is $SECRET" >> /app/secret.txt',
        "([SECRET={$([cat /run/secrets/mysecret])}] && [echo 'Secret is '+\"$SECRET\" >>/app/secret.txt])",
    ),
    ("echo 'a b'c\\ d\"e\"$f", "[echo 'a b'+c+' '+d+'e'+$f]"),
    ("echo \"\" ''", "[echo '' '']"),
    ('echo "a\\"b\\$c\\n"', "[echo 'a\"b$c\\\\n']"),
    ("echo $'a\\n\\x41\\'' $\"hi\"", "[echo \"a\\nA'\" 'hi']"),
    ("echo a\\\nb", "[echo a+b]"),
    ("~/bin/x *.pem [ab]?", "[~/bin/x *.pem [ab]?]"),
    (
        'echo ${A} ${A:-d e} "${A:-"d e"}" ${A#*/} ${A%%x} ${A//a/$B}',
        "[echo $A $A:-<d e> \"$A:-<'d e'>\" $A#<*/> $A%%<x> $A//<a/+$B>]",
    ),
    (
        "echo ${#A} ${!A} ${A[@]} ${A^^} ${A:1:2} ${A@Q} $1 $@ $$ ${10} ${#}",
        "[echo $#A $!A $A $A^^<∅> $A:<1:2> $A@<Q> $1 $@ $$ $10 $#]",
    ),
    ("echo ${A:-$(cat f)} \"${A:+'q'}\"", '[echo $A:-<$([cat f])> "$A:+<"\'q\'">"]'),
    ("echo $((1 + N)) $[N] $", "[echo $((1 + N)) $((N)) $]"),
    ("echo ${ ${{ x }}", "[echo $+{ $+{{ x }}] !"),
    ("X=$(<f) Y=`cat f`", "[X={$([<f])} Y={$([cat f])}]"),
    ('echo `echo \\`cat $f\\`` "`echo \\"a\\"`"', "[echo $([echo $([cat $f])]) \"$([echo 'a'])\"]"),
    ("diff <(sort a) >(cat)", "[diff <([sort a]) >([cat])]"),
    ("A=1", "[A={1}]"),
    ('A=1 B+="$2" cmd x=3', '[A={1} B+={"$2"} cmd x=3]'),
    ("A= B='' cmd", "[A={∅} B={''} cmd]"),
    ('A=(a "b c" $d) B=() C[0]=x', "[A={a, 'b c', $d} B={} C={x}]"),
    ('export A=1 B "C=$D" E=(f g)', '[export A=+1 B \'C=\'+"$D" E=+f+g declares A={1}, C={"$D"}, E={f, g}]'),
    ("declare -x A=$(cat f)", "[declare -x A=+$([cat f]) declares A={$([cat f])}]"),
    ("unset A B", "[unset A B]"),
    ("local x=~/y", "[local x=+~/y declares x={~/y}]"),
    ("env A=1 cmd", "[env A=1 cmd]"),
    ("cmd >out 2>&1", "[cmd >out 2>&1]"),
    (">out cmd <in arg", "[cmd arg >out <in]"),
    ("cmd &>all &>>all >|f <>g", "[cmd &>all &>>all >|f <>g]"),
    ("cmd 2>/dev/null >&2 <&3 3>&-", "[cmd 2>/dev/null >&2 <&3 3>&-]"),
    ("{fd}>f exec", "[exec {fd}>f]"),
    ('cmd <<< "$X"', '[cmd <<<"$X"]'),
    ("a >", "[a >nothing] !"),
    ("a | b | c", "pipe([a], [b], [c])"),
    ("a |& b", "pipe([a 2>&1], [b])"),
    ("! a | b", "not pipe([a], [b])"),
    ("! a", "not pipe([a])"),
    ("time -p a", "[a]"),
    ("time -f x a", "[time -f x a]"),
    ("a && b || c", "(([a] && [b]) || [c])"),
    ("a && b > f", "([a] && [b >f])"),
    ("a; b & c", "seq([a], [b] &, [c])"),
    ("a &", "seq([a] &)"),
    ("a \n\n# note\nb", "seq([a], [b])"),
    ("a # note; b", "[a]"),
    ("a#b", "[a#b]"),
    ("if a; then b; elif c; then d; else e; fi > f", "redirected(if([a] then [b] elif [c] then [d] else [e]) >f)"),
    ("if a; then b; fi && c", "(if([a] then [b]) && [c])"),
    ('for i in a "$b"; do c; done', 'for(i in a "$b" do [c])'),
    ("for i do c; done", "for(i do [c])"),
    ("for ((i=0; i<3; i++)); do c; done", "for(None in  do [c])"),
    ("select i in a b; do c; done", "for(i in a b do [c])"),
    ('while read -r l; do echo "$l"; done < f', 'redirected(while([read -r l] do [echo "$l"]) <f)'),
    ("until a; do b; done | c", "pipe(until([a] do [b]), [c])"),
    ('case "$x" in a|"b") c;; (d*) ;; *) e; f ;& esac', "case(\"$x\" a|'b': [c]; d*: ; *: seq([e], [f]))"),
    ("case $x in [yY]*) a; esac", "case($x [yY]*: [a])"),
    ("f() { a; }", "function(f group([a]))"),
    ("function f { a; } > x", "function(f redirected(group([a]) >x))"),
    ("function f() ( a )", "function(f subshell([a]))"),
    ("(a; b) > f", "redirected(subshell(seq([a], [b])) >f)"),
    ("{ a; b; } 2>&1 | c", "pipe(redirected(group(seq([a], [b])) 2>&1), [c])"),
    ('[[ -n "$a" && $b == c* ]] || d', '(test(-n "$a" $b == c*) || [d])'),
    ("(( i > 3 ))", "test($(( i > 3 )))"),
    ("((a); b)", "subshell(seq(subshell([a]), [b]))"),
    ("coproc N { a; }", "seq(group([a]) &)"),
    ('[ -f "$x" ] && rm "$x"', '([[ -f "$x" ]] && [rm "$x"])'),
    (
        "cat <<EOF > f\na $B $(c) \\$d `e`\nEOF\nnext",
        "seq([cat <<'a '+\"$B\"+' '+\"$([c])\"+' $d '+\"$([e])\"+'\\n' >f], [next])",
    ),
    ("cat <<'EOF' | tee f\na $B\nEOF", "pipe([cat <<quoted 'a $B\\n'], [tee f])"),
    ("cat <<-EOF\n\ta\n\t\t$B\n\tEOF", "[cat <<-'a\\n'+\"$B\"+'\\n']"),
    ("cat <<A <<B && c\n1\nA\n2\nB\nd", "seq(([cat <<'1\\n' <<'2\\n'] && [c]), [d])"),
    ("cat <<EOF; b\nx\nEOF", "seq([cat <<'x\\n'], [b])"),
    ("x=$(cat <<EOF\na\nEOF\n) && b", "([x={$([cat <<'a\\n'])}] && [b])"),
    ("{ cat <<EOF\na\nEOF\n} > f", "redirected(group([cat <<'a\\n']) >f)"),
    ("if true; then cat <<EOF > f\nfi\nEOF\nfi", "if([true] then [cat <<'fi\\n' >f])"),
    ("cat <<EOF\na", "[cat <<'a'] !"),
    ('echo "$(case $x in a) b;; esac)"', '[echo "$(case($x a: [b]))"]'),
    ("ls @(a|b).txt", "[ls @+(a|b)+.txt]"),
    ("if a; then b; c > f", "if([a] then seq([b], [c >f])) !"),
    ("for i in a; do b", "for(i in a do [b]) !"),
    ("case x in a) b", "case(x a: [b]) !"),
    ("while a", "while([a] do seq()) !"),
    ("{ a; b", "group(seq([a], [b])) !"),
    ("( a; b", "subshell(seq([a], [b])) !"),
    ('echo "abc $X', "[echo 'abc '+\"$X\"] !"),
    ("echo 'abc", "[echo 'abc'] !"),
    ("a &&", "[a] !"),
    ("a |", "[a] !"),
    ("a && && b", "seq(([a] && opaque('&&')), [b]) !"),
    ("; a", "[a]"),
    (")", "opaque(')') !"),
    ("a ) b", "seq([a], opaque(')'), [b]) !"),
    ("}", "opaque('}') !"),
    ("fi", "opaque('fi') !"),
    ("iex ((new-object x).Get('y')); b", "seq(opaque(\"iex ((new-object x).Get('y'))\"), [b]) !"),
    ("if a; then b[${X}]==${Y} c; else d; fi", "if([a] then [b={=+$Y} c] else [d])"),
    ('éa "ü$B" | 😀', "pipe([éa 'ü'+\"$B\"], [😀])"),
]


@pytest.mark.parametrize(("script", "reading"), READINGS, ids=[script for script, _ in READINGS])
def test_reading(script: str, reading: str) -> None:
    assert render(read(script)) == reading


@pytest.mark.parametrize(
    ("script", "kind", "source"),
    [
        ("echo 'a $b'", ir.Variable, None),
        ('é "x${A:-b}y"', ir.Variable, "${A:-b}"),
        ('é "x$(a "b")y"', ir.CommandSubstitution, '$(a "b")'),
        ("é `a`", ir.CommandSubstitution, "`a`"),
        ("😀 <(b)", ir.ProcessSubstitution, "<(b)"),
        ("echo $((1 + 2))x", ir.Arithmetic, "$((1 + 2))"),
        ("a 2>>'b c' d", ir.Redirect, "2>>'b c'"),
        ("a 2> b", ir.Redirect, "2> b"),
        ('A+="b c" d', ir.Assignment, 'A+="b c"'),
    ],
)
def test_spans_quote_the_source(script: str, kind: type, source: str | None) -> None:
    found = [value for value in walk(read(script)) if isinstance(value, kind)]
    assert [script[value.span.start : value.span.end] for value in found] == ([] if source is None else [source])


def test_a_heredoc_redirect_covers_its_marker_and_its_body_lies_behind() -> None:
    script = "cat <<-EOF >f\n\ta $B\n\tEOF\n"
    (command,) = [value for value in walk(read(script)) if isinstance(value, ir.Simple)]
    heredoc, plain = command.redirects
    assert script[heredoc.span.start : heredoc.span.end] == "<<-EOF"
    assert script[plain.span.start : plain.span.end] == ">f"
    assert heredoc.target is not None
    assert script[heredoc.target.span.start : heredoc.target.span.end] == "\ta $B\n"
    assert script[command.span.start : command.span.end] == "cat <<-EOF >f"


def test_backticks_with_escapes_keep_the_places_of_their_words() -> None:
    script = r"echo `cat \`ls $d\` \$x`"
    names = {value.name: value.span for value in walk(read(script)) if isinstance(value, ir.Variable)}
    assert {name: script[span.start : span.end] for name, span in names.items()} == {"d": "$d", "x": "$x"}


def test_a_quoted_operand_of_export_is_declared_with_its_place() -> None:
    script = 'export "TOKEN=$X-1"'
    (command,) = [value for value in walk(read(script)) if isinstance(value, ir.Simple)]
    (declared,) = command.declared
    assert script[declared.name_span.start : declared.name_span.end] == "TOKEN"
    assert script[declared.values[0].span.start : declared.values[0].span.end] == '$X-1"'


@pytest.mark.parametrize("script", ["", " ", "\n", "# only a comment", ";", "\\\n"])
def test_nothing_to_run_has_no_body(script: str) -> None:
    assert read(script) == ir.Script(None, Span(0, len(script)))


@pytest.mark.parametrize(
    "script",
    [
        "$(" * 5000,
        "$(" * 5000 + "a" + ")" * 5000,
        '"$(' * 5000,
        "${a:-" * 5000,
        "`" * 5001,
        "if " * 5000,
        "if a; then " * 2000 + "b" + "; fi" * 2000,
        "while a; do " * 2000,
        "case a in b) " * 2000,
        "{ " * 5000,
        "((" * 5000,
        "[[ " * 5000,
        "a=(" * 5000,
        "coproc " * 5000,
        "f() " * 5000,
        "! " * 5000,
        "cat <<E <<F " * 3000 + "\nE\n",
        ";;&&||" * 20000,
        "\x00\x1b\u2028\ud800" * 2000,
    ],
    ids=lambda script: script[:8].encode("unicode_escape").decode(),
)
def test_what_nobody_would_write_gets_an_answer(script: str) -> None:
    """The time is bounded too, but asserted nowhere: the slowest of these takes 0.3 s on a busy machine."""
    assert read(script).span == Span(0, len(script))


def test_a_too_long_script_is_opaque_and_names_its_variables() -> None:
    script = "echo $TOKEN ${OTHER}; " + "x" * MAX_LENGTH
    assert read(script) == ir.Script(
        ir.Opaque(script, ("TOKEN", "OTHER"), Span(0, len(script))), Span(0, len(script)), True
    )


def test_nesting_beyond_the_limit_is_opaque_only_from_there_on() -> None:
    script = "echo " + "$(a " * 60 + "$DEEP" + ")" * 60
    reading = read(script)
    assert reading.has_problems
    (opaque,) = [value for value in walk(reading) if isinstance(value, ir.Opaque)]
    assert opaque.variables == ("DEEP",)
    assert len([value for value in walk(reading) if isinstance(value, ir.Simple)]) > 30


def test_a_long_chain_is_read_without_recursion() -> None:
    script = " && ".join(["true"] * 5000)
    assert sum(isinstance(value, ir.Simple) for value in walk(read(script))) == 5000
