"""ARG, ENV and the other instructions that set the image's configuration: what each does with secrets."""

from __future__ import annotations

from buildhush.dockerfile.expansion import references
from buildhush.dockerfile.nodes import Assignment, Instruction, Pair, Simple, Word
from buildhush.dockerfile.stages import Stage
from buildhush.flow.effects import NO_EFFECT, Effect
from buildhush.flow.facts import Certainty, ConfigValue, Hop, Place, Source, SourceKind, TaintedWord
from buildhush.flow.scene import Found, Scene, StateView, as_words
from buildhush.flow.stage_state import StageVariable
from buildhush.flow.step import Declared, Step
from buildhush.knowledge.values import CONFIGURED, judge, may_hold_secret


def simple_step(scene: Scene, node: Simple, stage: Stage, view: StateView) -> Step:
    """WORKDIR, USER, EXPOSE and their like."""
    if node.keyword == "WORKDIR" and node.words:
        text = scene.text(node.words[0].text, view)
        return config_step(scene, node, stage, view, Effect(folder=view.resolved(text)))
    if node.keyword == "USER" and node.words:
        return Step(Effect(user=scene.text(node.words[0].text, view)))
    if node.keyword in ("EXPOSE", "VOLUME", "STOPSIGNAL"):
        return config_step(scene, node, stage, view)
    return Step()


def config_step(scene: Scene, node: Instruction, stage: Stage, view: StateView, effect: Effect = NO_EFFECT) -> Step:
    """LABEL, WORKDIR, EXPOSE, COPY …: variables expanded in them stand in the image config and history."""
    bodies = [heredoc.body_span for heredoc in node.heredocs]
    found = [
        each
        for each in scene.secret_references(node, view)
        if not any(body.start <= each[0].span.start < body.end for body in bodies)
    ]
    values = tuple(
        ConfigValue(node, stage, place, sources, (*trail, Hop(place, f"is expanded into {node.keyword}")), ())
        for place, sources, trail in found
    )
    return Step(effect, config=values, words=as_words(found))


def assignment_step(scene: Scene, node: Assignment, stage: Stage, view: StateView, *, in_onbuild: bool) -> Step:
    """ARG and ENV."""
    variables: dict[str, StageVariable] = {}
    declared: list[Declared] = []
    found = scene.secret_references(node, view)
    for pair in node.pairs:
        # An ARG behind an ENV of the same name wins, and the other way round (observed).
        if node.keyword == "ARG":
            variable, item = _argument(scene, node, stage, pair, view, found, in_onbuild=in_onbuild)
        else:
            variable, item = _environment(scene, node, stage, pair, view, found, in_onbuild=in_onbuild)
        variables[pair.key.value] = variable
        if item is not None:
            declared.append(item)
    if not found and not declared:
        return Step(Effect(variables=variables))
    words = as_words(found)
    words += tuple(TaintedWord(Place(item.node, item.pair.key.span), "variable", item.source) for item in declared)
    return Step(Effect(variables=variables), declared=tuple(declared), words=words)


def _argument(
    scene: Scene,
    node: Assignment,
    stage: Stage,
    pair: Pair,
    view: StateView,
    found: list[Found],
    *,
    in_onbuild: bool,
) -> tuple[StageVariable, Declared | None]:
    name = pair.key.value
    default = pair.value
    if default is None and name in scene.globals:
        default = scene.globals[name][1].value
    text = None if default is None else scene.text(default.text, view)
    # What is not declared before is empty: `ARG TOKEN=$TOKEN` gives no default.
    verdict = judge(name, default.value if default is not None and text else None, parameter=True)
    secret = verdict.secret
    override = scene.secret_name(name)
    if override is not None:
        secret = override
    carried = _carried(found, pair)
    if verdict.kind == "reference" and override is None and pair.value is not None:
        secret = bool(carried) or (secret and not _is_known(scene, pair.value, view))
    if not secret:
        return StageVariable(name, text, True, node, pair, settable=True), None
    place = Place(node, pair.key.span)
    certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
    reason = verdict.reason
    if not verdict.secret:
        reason = f"its default holds `{carried[0][1][0].name}`" if carried else CONFIGURED
    source = Source(SourceKind.ARG, name, certainty, reason, place)
    trail = (Hop(place, f"build argument `{name}` is declared"),)
    literal = default is not None and verdict.kind not in (None, "empty", "placeholder", "reference")
    item = Declared(node, stage, pair, source, trail, literal, True, False, in_onbuild)
    return StageVariable(name, None, True, node, pair, (source,), trail, True), item


def _environment(
    scene: Scene,
    node: Assignment,
    stage: Stage,
    pair: Pair,
    view: StateView,
    found: list[Found],
    *,
    in_onbuild: bool,
) -> tuple[StageVariable, Declared | None]:
    name = pair.key.value
    value = pair.value.value if pair.value is not None else ""
    text = scene.text(pair.value.text, view) if pair.value is not None else ""
    plain = StageVariable(name, text, False, node, pair, settable=_is_settable(scene, pair, view))
    override = scene.secret_name(name)
    if not found and override is None and not may_hold_secret(name, value):
        return plain, None
    carried = _carried(found, pair)
    place = Place(node, pair.key.span)
    if carried:
        sources = carried[0][1]
        trail = (*carried[0][2], Hop(place, f"is copied into environment variable `{name}`"))
        item = Declared(node, stage, pair, sources[0], trail, False, False, True, in_onbuild)
        return StageVariable(name, None, False, node, pair, sources, trail), item
    if override is None and not may_hold_secret(name, value):
        return plain, None
    expands = pair.value is not None and bool(references(pair.value.text, scene.tree.escape))
    verdict = judge(name, value, parameter=False, expanded=expands)
    secret = verdict.secret if override is None else override and bool(value)
    if secret and verdict.kind == "reference":
        secret = override is True
    if not secret:
        return plain, None
    certainty = Certainty.CERTAIN if verdict.certain else Certainty.LIKELY
    reason = verdict.reason if verdict.secret else CONFIGURED
    source = Source(SourceKind.ENV, name, certainty, reason, place)
    trail = (Hop(place, f"environment variable `{name}` is set"),)
    item = Declared(node, stage, pair, source, trail, True, False, False, in_onbuild, verdict.guessable)
    return StageVariable(name, None, False, node, pair, (source,), trail), item


def _carried(found: list[Found], pair: Pair) -> list[Found]:
    """Secret variables that the value of a pair expands."""
    return [each for each in found if pair.span.start <= each[0].span.start and each[0].span.end <= pair.span.end]


def _is_settable(scene: Scene, pair: Pair, view: StateView) -> bool:
    """Whether the value of an ENV is made of one that the build can be given."""
    if pair.value is None or "$" not in pair.value.text:
        return False
    names = [reference.name for reference in references(pair.value.text, scene.tree.escape)]
    return any(variable.settable for name in names if (variable := view.variable(name)) is not None)


def _is_known(scene: Scene, value: Word, view: StateView) -> bool:
    return "$" not in scene.text(value.text, view)
