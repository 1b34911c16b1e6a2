"""`buildhush check` as scripts and people use it: what it prints, its exit status, and bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from buildhush import config
from buildhush.cli import analysis, files
from buildhush.fixes import scripts

from .conftest import LEAKS, Run


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "Dockerfile").write_text(text)


def rules(document: dict) -> list[str]:  # type: ignore[type-arg]
    return [finding["rule"] for finding in document["findings"]]


def test_the_exit_status_says_whether_something_was_found(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["clean"], b=LEAKS["argument"])
    assert run("check", "a").status == 0
    assert run("check", "b").status == 1
    assert run("check").status == 1
    assert run("check", "missing").status == 2


def test_the_json_contract(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"])
    document = run("check", "--format", "json", "a/Dockerfile").json
    assert set(document) == {"version", "findings", "files", "suppressed", "problems"}
    assert (document["version"], document["files"], document["suppressed"]) == (1, {"checked": 1, "skipped": []}, 0)
    finding = document["findings"][0]
    assert set(finding) == {
        *("file", "rule", "severity", "certainty", "message", "line", "column", "end_line", "end_column"),
        *("sinks", "source", "trail", "fixes", "fingerprint", "dockerfile"),
    }
    assert (finding["file"], finding["rule"]) == ("a/Dockerfile", "secret-in-arg")
    assert (finding["severity"], finding["certainty"]) == ("error", "likely")
    place = [finding[key] for key in ("line", "column", "end_line", "end_column")]
    assert place == [2, 5, 2, 14]
    assert finding["source"] == {"kind": "arg", "name": "NPM_TOKEN"}
    assert "config" in finding["sinks"]
    assert finding["dockerfile"] is None
    assert {step["file"] for step in finding["trail"]} == {"a/Dockerfile"}
    assert set(finding["trail"][0]) == {"file", "line", "column", "end_line", "end_column", "message"}


def test_edits_of_the_json_repair_the_file_as_it_was_read(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_bytes(LEAKS["argument"].replace("\n", "\r\n").encode())
    finding = run("check", "--format", "json", "Dockerfile").json["findings"][0]
    fix = next(fix for fix in finding["fixes"] if fix["preferred"])
    assert fix["safety"] == "needs-secret-flag"
    text = (folder / "Dockerfile").read_bytes().decode()
    for edit in sorted(fix["edits"], key=lambda edit: edit["start"], reverse=True):
        assert edit["file"] == "Dockerfile"
        text = text[: edit["start"]] + edit["text"] + text[edit["end"] :]
    (folder / "Dockerfile").write_bytes(text.encode())
    assert run("check", "Dockerfile").status == 0


def test_columns_count_code_points(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text('FROM a\nENV X="\U0001f600" DB_PASSWORD=correcthorse\n')
    finding = run("check", "--format", "json").json["findings"][0]
    assert (finding["line"], finding["column"]) == (2, 11)


def test_standard_input_gets_the_name_it_is_given(run: Run, folder: Path) -> None:
    document = run(
        "check", "--format", "json", "--stdin-filename", "web/Dockerfile", "-", stdin=LEAKS["argument"].encode()
    )
    assert document.status == 1
    assert document.json["findings"][0]["file"] == "web/Dockerfile"
    unnamed = run("check", "--format", "json", "-", stdin=LEAKS["argument"].encode())
    assert unnamed.json["findings"][0]["file"] == "-"


def test_one_process_and_several_print_the_same(run: Run, folder: Path) -> None:
    for number in range(24):
        write(folder, **{f"s{number}": LEAKS[("written", "argument", "clean")[number % 3]]})
    (folder / "s3" / "Dockerfile").write_bytes(b"\0\0")
    for form in ("human", "json", "sarif", "github", "gitlab"):
        one = run("check", "--format", form, "--jobs", "1")
        assert one.status == 1
        assert run("check", "--format", form, "--jobs", "3") == one
        assert run("check", "--format", form, "--jobs", "1", *[f"s{number}" for number in reversed(range(24))]) == one


def test_the_same_file_named_twice_is_checked_once(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"])
    (folder / "link").symlink_to(folder / "a" / "Dockerfile")
    assert run("check", "--format", "json", "a", "a/Dockerfile", "./a", "link").json["files"]["checked"] == 1


def test_rules_are_chosen_by_option_and_configuration(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"], b=LEAKS["written"])
    assert rules(run("check", "--format", "json").json) == ["secret-in-arg", "secret-written-to-layer"]
    assert rules(run("check", "--format", "json", "--select", "secret-in-arg").json) == ["secret-in-arg"]
    assert rules(run("check", "--format", "json", "--ignore", "secret-in-arg").json) == ["secret-written-to-layer"]
    (folder / "a" / ".buildhush.toml").write_text('ignore = ["secret-in-arg"]\n')
    (folder / "elsewhere.toml").write_text('severity = { secret-written-to-layer = "hint" }\n')
    found = run("check", "--format", "json", "--config", "elsewhere.toml").json["findings"]
    assert [finding["severity"] for finding in found] == ["error", "hint"]


def test_an_unknown_rule_is_refused_with_the_nearest(run: Run, folder: Path) -> None:
    outcome = run("check", "--select", "secret-in-args")
    assert outcome.status == 2
    assert "`secret-in-args` is no rule; did you mean `secret-in-arg`?" in outcome.err


def test_the_threshold_of_the_exit_status(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM a\nRUN --mount=type=secret,id=t cat /run/secrets/t\n")
    assert run("check").status == 1
    assert run("check", "--fail-on", "warning").status == 1
    assert run("check", "--fail-on", "error").status == 0
    assert run("check", "--fail-on", "never").status == 0


def test_the_threshold_can_be_configured(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM a\nRUN --mount=type=secret,id=t cat /run/secrets/t\n")
    (folder / ".buildhush.toml").write_text('fail-on = "error"\n')
    assert run("check").status == 0
    assert run("check", "--fail-on", "warning").status == 1


def test_a_broken_configuration_skips_its_files_only(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"], b=LEAKS["written"])
    (folder / "a" / ".buildhush.toml").write_text('\nignroe = ["x"]\n')
    outcome = run("check", "--format", "json")
    assert outcome.status == 1
    assert rules(outcome.json) == ["secret-written-to-layer"]
    skipped = outcome.json["files"]["skipped"]
    assert [each["file"] for each in skipped] == ["a/Dockerfile"]
    assert ".buildhush.toml:2: `ignroe`: is no option; did you mean `ignore`?" in skipped[0]["reason"]
    assert run("check", "a").status == 2


def test_statistics_count_by_rule(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"], b=LEAKS["argument"], c=LEAKS["written"])
    counted = run("check", "--format", "json", "--statistics").json["statistics"]
    assert list(counted) == ["secret-in-arg", "secret-written-to-layer"]
    assert counted["secret-in-arg"] == {"findings": 2, "fixable": 2}
    assert "2  secret-in-arg" in run("check", "--statistics").out


def test_shards_merge_to_the_whole(run: Run, folder: Path) -> None:
    for number in range(7):
        write(folder, **{f"s{number}": LEAKS[("written", "argument")[number % 2]]})
    for form in ("json", "sarif"):
        whole = run("check", "--format", form)
        for number in (1, 2, 3):
            assert run("check", "--format", form, "--shard", f"{number}/3", "--output", f"{number}.{form}").status == 1
        merged = run("merge", "--format", form, f"3.{form}", f"1.{form}", f"2.{form}")
        assert merged == whole
    assert (
        run("merge", "--format", "github", "1.json", "2.json", "3.json").out == run("check", "--format", "github").out
    )
    assert run("check", "--shard", "99/99").status == 0
    assert run("check", "--shard", "4/3").status == 2


def test_merging_what_is_not_ours_is_refused(run: Run, folder: Path) -> None:
    (folder / "a.json").write_text('{"version": 2}')
    (folder / "b.json").write_text("[")
    (folder / "c.json").write_text('{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "other"}}}]}')
    for name in ("a.json", "b.json", "c.json", "d.json"):
        outcome = run("merge", name)
        assert outcome.status == 2
        assert outcome.err.startswith("buildhush: ")


def test_a_folder_without_dockerfiles(run: Run, folder: Path) -> None:
    outcome = run("check")
    assert outcome.status == 2
    assert "no Dockerfile in this folder" in outcome.out
    assert run("check", "--allow-no-files").status == 0
    write(folder, a=LEAKS["clean"])
    (folder / "empty").mkdir()
    assert run("check", "a", "empty").status == 0


def test_what_cannot_be_read_does_not_stop_the_rest(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"])
    (folder / "Dockerfile.bin").write_bytes(b"\x7fELF\0")
    (folder / "Dockerfile.latin1").write_bytes(b"FROM a\n# caf\xe9\nARG API_TOKEN\nRUN x $API_TOKEN\n")
    os.mkfifo(folder / "Dockerfile.fifo")
    outcome = run("check", "--format", "json", ".", "missing")
    assert outcome.status == 1
    assert rules(outcome.json) == ["secret-in-arg", "secret-in-arg"]
    reasons = {each["file"]: each["reason"] for each in outcome.json["files"]["skipped"]}
    assert reasons == {"Dockerfile.bin": "is a binary file", "missing": "does not exist"}


def test_an_unreadable_file_is_said_so(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, a=LEAKS["clean"])
    # Root reads everything, so the refusal of the system is played.
    real_open = open

    def refusing(path: object, *arguments: object, **options: object) -> object:
        if str(path).endswith("Dockerfile"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", refusing)
    outcome = run("check", "a")
    assert outcome.status == 2
    assert "not checked: a/Dockerfile: permission denied" in outcome.out


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    for number in range(40):
        write(folder, **{f"s{number}": LEAKS["written"]})
    command = f"{sys.executable} -m buildhush check --jobs 1 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "1"


def test_a_terminal_that_knows_only_ascii_is_no_crash(folder: Path) -> None:
    (folder / "Dockerfile.é").write_text('FROM a\nENV DB_PASSWORD=correcthorse\nLABEL x="ü"\n')
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for form in ("human", "json", "sarif", "github", "gitlab"):
        done = subprocess.run(
            [sys.executable, "-m", "buildhush", "check", "--format", form],
            capture_output=True,
            env=environment,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, b"")
        if form in ("json", "sarif", "gitlab"):
            json.loads(done.stdout)


def test_results_can_go_to_a_file(run: Run, folder: Path) -> None:
    write(folder, a=LEAKS["argument"])
    outcome = run("check", "--format", "json", "--output", "results.json")
    assert (outcome.status, outcome.out) == (1, "")
    assert rules(json.loads((folder / "results.json").read_text())) == ["secret-in-arg"]
    assert run("check", "--output", "missing/results.json").status == 2


def test_a_suppressed_finding_is_counted_and_an_unused_comment_noted(run: Run, folder: Path) -> None:
    text = LEAKS["argument"].replace("ARG", "# buildhush: ignore=secret-in-arg,secret-in-env -- a test key\nARG")
    (folder / "Dockerfile").write_text(text)
    outcome = run("check")
    assert outcome.status == 0
    assert "No leak found in 1 file; 1 suppressed." in outcome.out
    assert "Dockerfile:2:35: `secret-in-env` is not reported here, so it need not be ignored" in outcome.out
    assert run("check", "--format", "json").json["suppressed"] == 1


def test_fixes_are_tried_only_for_what_is_reported_and_read_a_script_once(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = "RUN --mount=type=secret,id=t cp /run/secrets/t /srv/a && cp /run/secrets/t /tmp/b && make\n"
    silenced = LEAKS["argument"].replace("ARG", "# buildhush: ignore=secret-in-arg -- a test key\nARG")
    (folder / "Dockerfile").write_text(f"{silenced}{mounted}")
    tried, read = Counter[str](), Counter[str]()
    fixes, reads = analysis.fixes, scripts.read
    monkeypatch.setattr(analysis, "fixes", lambda made, report: tried.update([report.rule.id]) or fixes(made, report))
    monkeypatch.setattr(scripts, "read", lambda text: read.update([text]) or reads(text))
    scripts._script.cache_clear()
    document = run("check", "--format", "json").json
    assert document["suppressed"] == 1
    assert tried == Counter(rules(document)) == {"secret-written-to-layer": 1, "temp-file-not-removed": 1}
    assert all(finding["fixes"] for finding in document["findings"])
    assert set(read.values()) == {1}


class TestBaseline:
    def test_old_findings_go_new_ones_stay(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"], b=LEAKS["written"])
        assert run("check", "--write-baseline", "known.json").status == 0
        assert run("check", "--baseline", "known.json").status == 0
        # Lines above, another file, another leak: only the new ones count.
        (folder / "a" / "Dockerfile").write_text("# a\n\n# b\n" + LEAKS["argument"].replace("FROM", "# c\nFROM"))
        write(folder, c=LEAKS["argument"])
        outcome = run("check", "--baseline", "known.json", "--format", "json")
        assert outcome.status == 1
        assert [finding["file"] for finding in outcome.json["findings"]] == ["c/Dockerfile"]
        assert outcome.json["suppressed"] == 2

    def test_it_only_shrinks(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"], b=LEAKS["written"])
        run("check", "--write-baseline", "known.json")
        full = (folder / "known.json").read_text()
        write(folder, a=LEAKS["clean"], c=LEAKS["argument"])
        outcome = run("check", "--write-baseline", "known.json")
        assert outcome.status == 1
        assert "1 findings left the baseline" in outcome.err
        files = [entry["file"] for entry in json.loads((folder / "known.json").read_text())["findings"]]
        assert files == ["b/Dockerfile"]
        assert full != (folder / "known.json").read_text()

    def test_files_that_were_not_checked_keep_their_entries(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"], b=LEAKS["written"])
        run("check", "--write-baseline", "known.json")
        write(folder, a=LEAKS["clean"], b=LEAKS["clean"])
        run("check", "a", "--write-baseline", "known.json")
        files = [entry["file"] for entry in json.loads((folder / "known.json").read_text())["findings"]]
        assert files == ["b/Dockerfile"]

    def test_a_second_leak_like_a_known_one_is_new(self, run: Run, folder: Path) -> None:
        (folder / "Dockerfile").write_text(LEAKS["argument"])
        run("check", "--write-baseline", "known.json")
        (folder / "Dockerfile").write_text(LEAKS["argument"] * 2)
        assert len(run("check", "--baseline", "known.json", "--format", "json").json["findings"]) == 1

    def test_it_can_be_configured_and_must_be_readable(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"])
        (folder / ".buildhush.toml").write_text('baseline = "known.json"\n')
        missing = run("check")
        assert missing.status == 2
        assert "known.json: no such file or directory" in missing.err
        run("check", "--write-baseline", "known.json")
        assert run("check").status == 0
        (folder / "known.json").write_text("{}")
        assert run("check").status == 2

    def test_rules_and_lines_that_were_not_looked_at_keep_their_entries(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"], b=LEAKS["written"])
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "one")
        run("check", "--write-baseline", "known.json")
        full = (folder / "known.json").read_text()
        for options in (["--select", "secret-in-arg"], ["--ignore", "secret-in-arg"], ["--diff", "HEAD"]):
            outcome = run("check", "--write-baseline", "known.json", *options)
            assert (outcome.status, (folder / "known.json").read_text()) == (0, full)
        (folder / "a" / "Dockerfile").write_text(LEAKS["argument"] + "RUN true\n")
        outcome = run("check", "--write-baseline", "known.json", "--diff", "HEAD")
        assert (outcome.status, (folder / "known.json").read_text()) == (0, full)

    def test_two_runs_write_the_same_bytes(self, run: Run, folder: Path) -> None:
        write(folder, a=LEAKS["argument"], b=LEAKS["written"])
        run("check", "--write-baseline", "one.json")
        run("check", "--write-baseline", "two.json", "b", "a")
        assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


class TestDiff:
    @pytest.fixture
    def repository(self, folder: Path) -> Path:
        write(folder, a=LEAKS["argument"] + "# end\n", b=LEAKS["written"])
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "one")
        return folder

    def test_only_changed_lines_count(self, run: Run, repository: Path) -> None:
        assert run("check", "--diff", "HEAD").status == 0
        file = repository / "a" / "Dockerfile"
        file.write_text(file.read_text().replace("# end", "RUN true"))
        assert run("check", "--diff", "HEAD").status == 0
        file.write_text(file.read_text().replace("ARG NPM_TOKEN", "ARG NPM_TOKEN\nARG GH_TOKEN"))
        outcome = run("check", "--diff", "HEAD", "--format", "json")
        assert outcome.status == 1
        assert [finding["source"]["name"] for finding in outcome.json["findings"]] == ["GH_TOKEN"]

    def test_a_change_on_the_way_of_the_secret_counts(self, run: Run, repository: Path) -> None:
        file = repository / "a" / "Dockerfile"
        file.write_text(file.read_text().replace("npm ci", "npm install"))
        assert run("check", "--diff", "HEAD").status == 1

    def test_a_new_file_counts_whole(self, run: Run, repository: Path) -> None:
        write(repository, **{"c d": LEAKS["argument"]})
        assert run("check", "--diff", "HEAD", "--format", "json").json["findings"][0]["file"] == "c d/Dockerfile"

    def test_it_works_from_a_folder_below(self, run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(repository, b=LEAKS["written"].replace("s.txt", "t.txt"))
        monkeypatch.chdir(repository / "b")
        assert run("check", "--diff", "HEAD").status == 1

    def test_an_unknown_revision_and_no_repository(
        self, run: Run, repository: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        outcome = run("check", "--diff", "--nothing")
        assert outcome.status == 2
        outcome = run("check", "--diff=nothing")
        assert (outcome.status, outcome.err) == (2, "buildhush: --diff: git does not know the revision `nothing`\n")
        outside = tmp_path_factory.mktemp("outside")
        write(outside, a=LEAKS["argument"])
        assert run("check", "--diff", "HEAD", outside).status == 2


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_file_that_is_too_large_counts_as_not_checked(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM a\n" + "# x\n" * 3_000_000)
    outcome = run("check", "--format", "json")
    assert outcome.status == 2
    assert "too large" in outcome.json["files"]["skipped"][0]["reason"]


def test_a_rule_that_fails_is_said_so(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    from buildhush import reports
    from buildhush.rules.registry import all_rules

    def fails(facts: object) -> object:
        raise RuntimeError

    (folder / "Dockerfile").write_text(LEAKS["argument"])
    assert run("check", "--write-baseline", "known.json").status == 0
    broken = {id: replace(rule, check=fails) for id, rule in all_rules().items() if id == "secret-in-arg"}
    monkeypatch.setattr(reports, "all_rules", lambda: {**all_rules(), **broken})
    outcome = run("check")
    assert "warning: Dockerfile:1:1: rule `secret-in-arg` failed on this file (internal error)" in outcome.out
    assert outcome.status == 2, "what was found may not be all"
    before = (folder / "known.json").read_text()
    assert "are fixed" not in run("check", "--baseline", "known.json").err
    run("check", "--write-baseline", "known.json")
    assert (folder / "known.json").read_text() == before, "what was not looked for is not fixed"
    assert run("check", "--format", "json", "--output", "part.json").status == 2
    assert run("merge", "part.json").status == 2


def test_syntax_is_counted_not_listed(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM a\nRUNN b\nCOPY x\n")
    outcome = run("check")
    assert outcome.status == 0
    assert outcome.out == ("note: 2 problems of syntax; `--format json` lists where\n\nNo leak found in 1 file.\n")


def test_own_names_and_commands_of_the_configuration_hold(run: Run, folder: Path) -> None:
    (folder / "Dockerfile").write_text(
        "FROM a\nARG ACME_ACCESS\nARG MIRROR_TOKEN\nRUN x $ACME_ACCESS $MIRROR_TOKEN\n"
        "RUN --mount=type=secret,id=t,env=T acme-login login $T\n"
    )
    before = run("check", "--format", "json").json["findings"]
    assert [finding["source"]["name"] for finding in before] == ["MIRROR_TOKEN"]
    (folder / ".buildhush.toml").write_text(
        """\
secret-names = ["acme_*"]
public-names = ["MIRROR_*"]
[commands.acme-login]
stores = [{ when = ["login"], credential = ["arguments"], files = ["~/.acme/token"] }]
"""
    )
    analysis._settled.clear()
    after = run("check", "--format", "json").json["findings"]
    assert [(finding["rule"], finding["source"]["name"]) for finding in after] == [
        ("secret-in-arg", "ACME_ACCESS"),
        ("credential-stored-by-tool", "t"),
    ]


def test_a_bar_on_the_terminal_does_not_touch_the_results(folder: Path) -> None:
    pty = pytest.importorskip("pty", reason="terminals of this kind are Unix")
    for number in range(60):
        write(folder, **{f"s{number}": LEAKS["argument"]})
    command = [sys.executable, "-m", "buildhush", "check", "--color", "never"]
    quiet = subprocess.run(command, capture_output=True, check=False)
    leader, follower = pty.openpty()
    try:
        environment = {**os.environ, "TERM": "xterm"}
        shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=False, env=environment)
        os.close(follower)
        terminal = os.read(leader, 65536)
    finally:
        os.close(leader)
    assert b"checking" in terminal
    assert (shown.returncode, shown.stdout) == (1, quiet.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the crash is played in forked processes")
def test_a_process_that_dies_costs_one_file(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from buildhush.cli import analysis

    real_analyze = analysis.analyze

    def crashing(text: str, **options: object) -> object:
        if "BOOM" in text:
            os._exit(11)
        return real_analyze(text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(analysis, "analyze", crashing)
    for number in range(6):
        write(folder, **{f"s{number}": LEAKS["argument"]})
    write(folder, s3="FROM a\nRUN BOOM\n")
    outcome = run("check", "--format", "json", "--jobs", "2")
    assert outcome.status == 1
    assert outcome.json["files"]["checked"] == 5
    skipped = {"file": "s3/Dockerfile", "reason": "the process that checked it died", "code": "internal-error"}
    assert outcome.json["files"]["skipped"] == [skipped]
    assert len(outcome.json["findings"]) == 5


@pytest.mark.parametrize("named", [False, True])
def test_a_broken_configuration_is_read_and_parsed_once_for_all_files(
    named: bool, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        write(folder, **{f"s{number}": LEAKS["argument"]})
        (folder / f"s{number}" / "Dockerfile.dev").write_text(LEAKS["written"])
    broken = folder / (".other.toml" if named else ".buildhush.toml")
    broken.write_text("select = 1\n")
    read, parsed = Counter[str](), Counter[str]()
    read_regular, read_source, parse_toml = files.read_regular, analysis.read_source, config._parse_toml
    monkeypatch.setattr(files, "read_regular", lambda path, most: read.update([str(path)]) or read_regular(path, most))
    monkeypatch.setattr(analysis, "read_source", lambda path: read.update([str(path)]) or read_source(path))
    monkeypatch.setattr(config, "_parse_toml", lambda text, file: parsed.update([str(file)]) or parse_toml(text, file))
    outcome = run("check", "--jobs", "1", "--format", "json", *(["--config", broken] if named else []))
    assert outcome.status == 2
    assert [each["reason"].count("select") for each in outcome.json["files"]["skipped"]] == [1] * 12
    assert read[str(broken)] == 1
    assert parsed == {str(broken): 1}
