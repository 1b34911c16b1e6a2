"""What one edit costs, counted: instructions and scripts that are read anew, summaries and steps that are made anew.

Counts, unlike times, are the same on every machine, so a change that makes typing slow fails here.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from types import FunctionType, ModuleType

import pytest
from msgspec.structs import replace
from tests.support import FixedContext

from buildhush import reports
from buildhush.engine import Analysis, Report, analyze, fixes
from buildhush.flow import plain_commands, runs
from buildhush.flow.blocks import Steps
from buildhush.flow.effects import Effect, Looks
from buildhush.flow.scene import Counts
from buildhush.flow.walk import Walk
from buildhush.rules.registry import all_rules
from buildhush.text.spans import Edit, Span, apply

STEPS = 400
"""RUNs of the long file; with the comment, the ENV, the continued line and the blank line of each, 2,000 lines."""


def long_file(folder: str = "/app") -> str:
    """400 RUNs, five of which write a build argument into a file of the image."""
    lines = ["FROM node:22", "ARG NPM_TOKEN", "ENV FOLDER=/app"]
    lines += ["RUN apt-get update && \\", f"    echo start > {folder}/start"]
    for number in range(1, STEPS):
        said = '"$NPM_TOKEN"' if number % 80 == 5 else str(number)
        lines += [
            f"# step {number}",
            f"ENV STEP_{number}=v{number}",
            f"RUN apt-get update && apt-get install -y package{number} \\",
            f"    && echo {said} > {folder}/f{number} && rm -rf /var/lib/apt/lists/*",
            "",
        ]
    return "\n".join(lines) + "\n"


LONG = long_file()
LONG_RUN = (
    "FROM alpine\nRUN --mount=type=secret,id=token cat /run/secrets/token > /app/t\nRUN "
    + " && \\\n    ".join(f"echo step{number} && cp -r /src/{number} /opt/{number}" for number in range(100))
    + "\nRUN echo end\n"
)


@dataclass(frozen=True)
class Cost:
    """What one analysis read and made that the one before it did not have."""

    instructions: int
    scripts: int
    summaries: int
    steps: int


def cost_of(before: Analysis, after: Analysis) -> Cost:
    known = {id(node) for node in before.tree.nodes}
    instructions = sum(id(node) not in known for node in after.tree.nodes)
    counts = counts_of(after)
    return Cost(instructions, counts.scripts_read, counts.summaries_made, counts.steps_made)


def counts_of(analysis: Analysis) -> Counts:
    assert analysis.memo is not None
    return analysis.memo.counts


def typed(before: Analysis, old: str, new: str) -> Analysis:
    """The analysis after the first `old` became `new`, in one edit."""
    start = before.text.index(old)
    edit = Edit(Span(start, start + len(old)), new)
    text = before.text[:start] + new + before.text[start + len(old) :]
    after = analyze(text, previous=before, edit=edit)
    assert _said(after.reports) == _said(analyze(text).reports)
    return after


def _said(reports: tuple[Report, ...]) -> list[tuple[object, ...]]:
    return [
        (each.rule.id, each.span, each.severity, each.finding.message, tuple(step.span for step in each.trail))
        for each in reports
    ]


def opened(text: str) -> Analysis:
    """As in an editor: analysed when it is opened, and once more after a first edit, here of the last RUN."""
    before = analyze(text)
    start = text.rindex("RUN ") + len("RUN ")
    return analyze(text[:start] + "x" + text[start:], previous=before, edit=Edit(Span(start, start), "x"))


def test_the_long_file_is_what_its_name_says() -> None:
    analysis = analyze(LONG)
    assert LONG.count("\n") == 5 * STEPS
    assert sum(node.keyword == "RUN" for node in analysis.tree.instructions) == STEPS
    assert [each.rule.id for each in analysis.reports].count("secret-written-to-layer") == 5
    assert counts_of(analysis).scripts_read == STEPS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("package200 ", "package200x ", id="in the middle"),
        pytest.param("package1 ", "package1x ", id="near the top"),
        pytest.param("/app/f200 ", "/app/f200x ", id="a path that holds no secret"),
        pytest.param("RUN apt-get", "RUN --network=none apt-get", id="an option of the RUN"),
    ],
)
def test_typing_in_a_run_costs_that_run(old: str, new: str) -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, old, new))
    assert cost == Cost(instructions=1, scripts=1, summaries=1, steps=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("# step 200\n", "# step 200, the next\n", id="typing in it"),
        pytest.param("# step 200\n", "# step 200\n# and more\n", id="adding a line"),
        pytest.param("# step 200\n", "", id="removing it"),
    ],
)
def test_a_comment_costs_nothing_but_its_own_reading(old: str, new: str) -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, old, new))
    assert cost.instructions <= 1
    assert (cost.scripts, cost.summaries, cost.steps) == (0, 0, 0)


def test_a_new_run_costs_that_run() -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, "# step 200\n", "RUN make step200\n"))
    assert cost.instructions <= 2
    assert (cost.scripts, cost.summaries, cost.steps) == (1, 1, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("> /app/f5 ", "> /app/f5x ", id="another path"),
        pytest.param('echo "$NPM_TOKEN" > /app/f5 ', "echo nothing > /app/f5 ", id="a secret no longer written"),
        pytest.param("echo 6 > /app/f6 ", 'echo "$NPM_TOKEN" > /app/f6 ', id="a secret written for the first time"),
    ],
)
def test_a_leak_near_the_top_costs_no_run_that_does_not_look_at_it(old: str, new: str) -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, old, new))
    assert cost == Cost(instructions=1, scripts=1, summaries=1, steps=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("ENV STEP_3=v3\n", "ENV STEP_3=v3x\n", id="its value"),
        pytest.param("ENV STEP_3=v3\n", "ENV STEP_3x=v3\n", id="its name"),
    ],
)
def test_a_variable_near_the_top_that_nothing_reads_costs_its_own_step(old: str, new: str) -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, old, new))
    assert cost == Cost(instructions=1, scripts=0, summaries=0, steps=1)


def test_a_user_that_no_run_asks_for_costs_its_own_step() -> None:
    before = opened(LONG.replace("ENV FOLDER=/app", "USER app"))
    cost = cost_of(before, typed(before, "USER app", "USER apps"))
    assert cost == Cost(instructions=1, scripts=0, summaries=0, steps=1)


@pytest.mark.parametrize(
    ("place", "most"),
    [
        pytest.param("package200", 2, id="a RUN in the middle"),
        pytest.param("> /app/f5", 12, id="a leaking path near the top"),
        pytest.param("ENV STEP_3=v3", 12, id="a variable near the top that nothing reads"),
        pytest.param("# step 5", 0, id="a comment"),
    ],
)
def test_typing_on_goes_past_the_rest_of_the_file_at_once(
    place: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was edited stands in a small block, and what stands behind it is asked together: however much it is."""
    walked: list[object] = []
    concern, applied, made = Looks.concern, Effect.applied, Steps.__init__
    monkeypatch.setattr(Looks, "concern", lambda *rest: walked.append(rest) or concern(*rest))
    monkeypatch.setattr(Effect, "applied", lambda *rest: walked.append(rest) or applied(*rest))
    monkeypatch.setattr(Steps, "__init__", lambda self, taken: walked.extend(taken) or made(self, taken))
    asked = []
    for text in (LONG, LONG + LONG.partition("start > /app/start\n")[2]):
        analysis = opened(text)
        at = text.index(place) + len(place)
        for letter in "abc":
            walked.clear()
            edit = Edit(Span(at, at), letter)
            analysis = analyze(apply(analysis.text, [edit]), previous=analysis, edit=edit)
        asked.append(len(walked))
    assert asked[0] == asked[1] <= most


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        pytest.param("package200 ", "package200x ", 0, id="a RUN from which no fact follows"),
        pytest.param("# step 2\n", "# step 2, the next\n", 0, id="a comment"),
        pytest.param("ENV STEP_3=v3\n", "ENV STEP_3=v3x\n", 0, id="a variable that nothing reads"),
        pytest.param("> /app/f5 ", "> /app/f5x ", 6, id="a leaking path: the rules on files and arguments"),
    ],
)
def test_a_rule_is_asked_again_only_when_what_it_reads_has_changed(
    old: str, new: str, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened(LONG)
    rules, checked = all_rules(), []
    watched = {
        id: replace(rule, check=lambda facts, rule=rule: checked.append(rule.id) or rule.check(facts))
        for id, rule in rules.items()
    }
    start = before.text.index(old)
    edit = Edit(Span(start, start + len(old)), new)
    text = apply(before.text, [edit])
    monkeypatch.setattr(reports, "all_rules", lambda: watched)
    after = analyze(text, previous=before, edit=edit)
    assert len(checked) == asked
    known = {id(each.finding) for each in before.reports}
    anew = [each for each in after.reports if id(each.finding) not in known]
    assert len(before.reports) == len(after.reports) == 6
    assert len(anew) == (2 if asked else 0)


def test_a_copy_is_looked_at_again_only_in_another_context() -> None:
    text = "FROM alpine\nCOPY . /app\nRUN --mount=type=bind,target=/src ls /src\nRUN echo built\n"
    edits = [(f"echo {'x' * count}built", f"echo {'x' * (count + 1)}built") for count in range(4)]
    context = FixedContext((".npmrc",))
    before = analyze(text, context=context)
    for old, new in edits:
        text = text.replace(old, new)
        before = analyze(text, context=context, previous=before)
        assert counts_of(before).steps_made == 1
        assert _said(before.reports) == _said(analyze(text, context=context).reports) != []
    emptied = analyze(text, context=FixedContext(()), previous=before)
    assert counts_of(emptied).steps_made == 2
    assert emptied.reports == ()


def test_another_image_costs_nothing_of_what_is_built_on_it() -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, "node:22", "node:23"))
    assert cost == Cost(instructions=1, scripts=0, summaries=0, steps=0)
    cost = cost_of(before, typed(before, "node:22", "fedora:40"))
    assert (cost.scripts, cost.summaries) == (0, STEPS)


def test_a_new_stage_costs_the_steps_behind_it_but_no_reading() -> None:
    before = opened(LONG)
    cost = cost_of(before, typed(before, "# step 200\n", "FROM node:22\n"))
    assert cost.scripts == 0


def test_a_variable_that_every_run_reads_costs_their_summaries_but_no_reading() -> None:
    before = opened(long_file("$FOLDER"))
    cost = cost_of(before, typed(before, "ENV FOLDER=/app", "ENV FOLDER=/srv"))
    assert (cost.instructions, cost.scripts) == (1, 0)
    assert cost.summaries == STEPS


def test_a_whole_new_text_costs_only_what_differs() -> None:
    before = opened(LONG)
    after = analyze(before.text.replace("package200 ", "package200x "), previous=before)
    assert cost_of(before, after).scripts == 1
    assert cost_of(before, after).summaries == 1


def test_the_same_text_again_costs_nothing() -> None:
    before = opened(LONG)
    cost = cost_of(before, analyze(before.text, previous=before))
    assert cost == Cost(instructions=0, scripts=0, summaries=0, steps=0)


def test_a_long_run_is_read_once_and_its_neighbours_not_at_all() -> None:
    before = opened(LONG_RUN)
    cost = cost_of(before, typed(before, "step50 ", "step50x "))
    assert (cost.instructions, cost.scripts, cost.summaries) == (1, 1, 1)


def test_opening_the_long_file_interprets_the_five_scripts_that_expand_a_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interpreted: list[str] = []
    read: list[str] = []
    summarise, words_of = runs.summarise, plain_commands._words_of
    monkeypatch.setattr(runs, "summarise", lambda run, *rest: interpreted.append(run.text) or summarise(run, *rest))
    monkeypatch.setattr(plain_commands, "_words_of", lambda piece: read.append(piece) or words_of(piece))
    analyze(LONG)
    assert all("$NPM_TOKEN" in text for text in interpreted)
    assert len(interpreted) == 5
    # Two of a RUN's four commands, what it installs and where it writes, are its own.
    assert len(read) <= 2 * STEPS


def test_an_edit_of_a_long_run_of_plain_words_reads_the_command_that_it_stands_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = opened(LONG_RUN)
    start = LONG_RUN.index("/src/50 ") + len("/src/50")
    read: list[str] = []
    words_of = plain_commands._words_of
    monkeypatch.setattr(plain_commands, "_words_of", lambda piece: read.append(piece) or words_of(piece))
    monkeypatch.setattr(runs, "summarise", lambda *_: pytest.fail("the interpreter was asked"))
    analyze(LONG_RUN[:start] + "x" + LONG_RUN[start:], previous=before)
    assert [piece.strip() for piece in read] == ["cp -r /src/50x /opt/50"]


def test_trying_a_fix_with_edits_far_apart_costs_the_instructions_that_it_edits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = analyze(LONG)
    argument = next(report for report in before.reports if report.rule.id == "secret-in-arg")
    taken = []
    take = Walk.take
    monkeypatch.setattr(Walk, "take", lambda *rest: taken.append(rest[1]) or take(*rest))
    fix = fixes(before, argument)[0]
    places = [edit.span.start for edit in fix.edits]
    assert len(places) > 5
    assert max(places) - min(places) > len(LONG) / 2
    assert len(taken) <= 10 * len(fix.edits)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(LONG, "package200", id="a RUN"),
        pytest.param(LONG, "> /app/f5", id="a leaking path near the top"),
        pytest.param(long_file("$FOLDER"), "ENV FOLDER=/app", id="a variable that every RUN reads"),
    ],
)
def test_what_is_kept_does_not_grow_with_the_number_of_edits(text: str, place: str) -> None:
    """What an analysis holds on to is no more after 90 edits than after 30, but for a few replaced instructions."""
    analysis = opened(text)
    at = text.index(place) + len(place)
    held = []
    for number in range(1, 91):
        edit = Edit(Span(at, at), "x") if number % 2 else Edit(Span(at, at + 1), "")
        changed = analysis.text[:at] + edit.text + analysis.text[edit.span.end :]
        analysis = analyze(changed, previous=analysis, edit=edit)
        if number % 10 == 0:
            held.append(held_by(analysis))
    assert max(held[3:]) <= 1.05 * max(held[:3])


def held_by(analysis: Analysis) -> int:
    """How many objects are alive because of an analysis."""
    seen: set[int] = set()
    waiting: list[object] = [analysis.tree, analysis.facts, analysis.memo]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen and not isinstance(each, type | ModuleType | FunctionType):
            seen.add(id(each))
            waiting += gc.get_referents(each)
    return len(seen)
