"""The IR in one line, so that a test can show what it expects."""

from __future__ import annotations

from buildhush.shell import ir


def render(script: ir.Script) -> str:
    """A script's commands; ` !` at the end when something in it could not be read."""
    return _node(script.body) + (" !" if script.has_problems else "") if script.body else "!" * script.has_problems


def _node(node: ir.Node) -> str:
    if isinstance(node, ir.Simple):
        pieces = [_assignment(one) for one in node.assignments] + [_word(word) for word in node.words]
        pieces += [_redirect(redirect) for redirect in node.redirects]
        declared = ", ".join(_assignment(one) for one in node.declared)
        return "[" + " ".join(pieces) + (f" declares {declared}" if declared else "") + "]"
    if isinstance(node, ir.Test):
        return "test(" + " ".join(map(_word, node.words)) + ")"
    if isinstance(node, ir.Pipeline):
        return ("not " if node.negated else "") + "pipe(" + ", ".join(map(_node, node.commands)) + ")"
    if isinstance(node, ir.AndOr):
        return f"({_node(node.left)} {node.operator} {_node(node.right)})"
    if isinstance(node, ir.Sequence):
        pairs = zip(node.commands, node.background, strict=True)
        return "seq(" + ", ".join(_node(command) + " &" * behind for command, behind in pairs) + ")"
    if isinstance(node, ir.If):
        branches = " elif ".join(f"{_node(condition)} then {_node(body)}" for condition, body in node.branches)
        return f"if({branches}" + (f" else {_node(node.otherwise)})" if node.otherwise else ")")
    if isinstance(node, ir.For):
        words = "" if node.words is None else " in " + " ".join(map(_word, node.words))
        return f"for({node.name}{words} do {_node(node.body)})"
    if isinstance(node, ir.While):
        return f"{'until' if node.until else 'while'}({_node(node.condition)} do {_node(node.body)})"
    if isinstance(node, ir.Case):
        items = "; ".join(
            "|".join(map(_word, patterns)) + ": " + (_node(body) if body else "") for patterns, body in node.items
        )
        return f"case({_word(node.subject)} {items})"
    if isinstance(node, ir.Function):
        return f"function({node.name} {_node(node.body)})"
    if isinstance(node, ir.Group):
        return ("subshell(" if node.subshell else "group(") + _node(node.body) + ")"
    if isinstance(node, ir.Redirected):
        return f"redirected({_node(node.command)} " + " ".join(map(_redirect, node.redirects)) + ")"
    return f"opaque({node.text!r}" + "".join(f" ${name}" for name in node.variables) + ")"


def _word(word: ir.Word) -> str:
    return "+".join(map(_part, word.parts)) or "∅"


def _part(part: ir.Part) -> str:
    if isinstance(part, ir.Literal):
        return repr(part.text) if part.quoted else part.text
    if isinstance(part, ir.Variable):
        operand = "" if part.operand is None else "<" + _word(part.operand) + ">"
        text = "$" + "#" * part.length + "!" * part.indirect + part.name + part.operator + operand
    elif isinstance(part, ir.CommandSubstitution):
        text = "$(" + render(part.body) + ")"
    elif isinstance(part, ir.ProcessSubstitution):
        return f"{part.direction}({render(part.body)})"
    else:
        return f"$(({part.text}))"
    return f'"{text}"' if part.quoted else text


def _assignment(assignment: ir.Assignment) -> str:
    values = ", ".join(map(_word, assignment.values))
    return f"{assignment.name}{'+' * assignment.append}={{{values}}}"


def _redirect(redirect: ir.Redirect) -> str:
    descriptor = "" if redirect.descriptor is None else str(redirect.descriptor)
    named = "" if redirect.named_descriptor is None else f"{{{redirect.named_descriptor}}}"
    target = "nothing" if redirect.target is None else _word(redirect.target)
    return f"{descriptor}{named}{redirect.operator}{'quoted ' * redirect.quoted_heredoc}{target}"
