"""The configuration file: what is read, which file holds, and what an error says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildhush.config import (
    OPTIONS,
    Configuration,
    ConfigurationError,
    Settings,
    line_of_key,
    load_config,
    parse_configuration,
    parse_project_file,
    parse_table,
)
from buildhush.rules.api import Severity

RULES = ("secret-in-arg", "secret-in-env", "secret-in-build-log", "unused-secret-mount")
FILE = Path("/work space/.buildhush.toml")


def parse(text: str) -> Configuration:
    return parse_configuration(text, FILE, RULES)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return [str(problem).removeprefix(f"{FILE}:") for problem in caught.value.problems]


def test_every_option_is_read() -> None:
    configuration = parse(
        """\
select = ["secret-in-arg", "secret-in-env"]
ignore = ["secret-in-env"]
secret-names = ["ACME_*"]
public-names = ["BUILD_KEY"]
require-reason = true
exclude = ["third_party/"]
fail-on = "warning"
baseline = "known.json"

[severity]
secret-in-build-log = "error"

[commands.acme-login]
stores = [{ when = ["login"], credential = ["arguments"], files = ["~/.acme/token"] }]
"""
    )
    settings = configuration.settings
    assert settings.select == {"secret-in-arg", "secret-in-env"}
    assert settings.ignore == {"secret-in-env"}
    assert (settings.secret_names, settings.public_names) == (("ACME_*",), ("BUILD_KEY",))
    assert settings.require_reason is True
    assert settings.severity == {"secret-in-build-log": Severity.ERROR}
    assert settings.commands["acme-login"].stores[0].files[0].path == "~/.acme/token"
    assert (configuration.fail_on, configuration.baseline) == (Severity.WARNING, "known.json")
    assert configuration.excludes("/work space/third_party/Dockerfile")
    assert not configuration.excludes("/work space/app/Dockerfile")
    assert not configuration.excludes("/elsewhere/third_party/Dockerfile")


def test_an_ignored_rule_is_off_even_when_it_is_selected() -> None:
    settings = Settings(select=frozenset({"a", "b"}), ignore=frozenset({"b"}))
    assert [settings.wants(rule) for rule in ("a", "b", "c")] == [True, False, False]
    assert Settings().wants("anything")


ERRORS = {
    "unknown option": ('ignroe = ["secret-in-arg"]', ["1: `ignroe`: is no option; did you mean `ignore`?"]),
    "underscore for hyphen": (
        "\nrequire_reason = true",
        ["2: `require_reason`: is no option; did you mean `require-reason`?"],
    ),
    "unknown rule": (
        'ignore = [\n  "secret-in-env",\n  "secrets-in-arg",\n]',
        ["3: `ignore`: `secrets-in-arg` is no rule; did you mean `secret-in-arg`?"],
    ),
    "unknown rule in a table": (
        '[severity]\nsecret-in-env = "error"\nsecret-in-buildlog = "error"',
        ["3: `severity.secret-in-buildlog`: is no rule; did you mean `secret-in-build-log`?"],
    ),
    "unknown severity": (
        '[severity]\nsecret-in-env = "warn"',
        ["2: `severity.secret-in-env`: must be one of error, warning, information, hint; did you mean `warning`?"],
    ),
    "severity in an inline table": (
        'select = []\nseverity = { secret-in-env = "fatal" }',
        ["2: `severity.secret-in-env`: must be one of error, warning, information, hint"],
    ),
    "wrong type": (
        'require-reason = "yes"\nselect = "secret-in-arg"',
        ["1: `require-reason`: must be true or false", "2: `select`: must be a list of strings that are not empty"],
    ),
    "unknown key in the second override": (
        '[[overrides]]\nfiles = ["a/"]\n\n[[overrides]]\nfiles = ["b/"]\nfile = ["c/"]',
        ["6: `overrides[1].file`: is no option; did you mean `files`?"],
    ),
    "override without files": (
        "\n[[overrides]]\nignore = []",
        ["2: `overrides[0]`: needs `files`, a list of patterns"],
    ),
    "global option in an override": (
        '[[overrides]]\nfiles = ["a/"]\nfail-on = "error"',
        ["3: `overrides[0].fail-on`: holds for all files and can't stand in an override"],
    ),
    "too many wildcards in a name": (
        'exclude = ["vendor/"]\n\n[[overrides]]\nfiles = ["a/*.*.*", "b/*a*a*a*"]',
        ["4: `overrides[0].files`: has a pattern with too many wildcards: at most 3 `*` between slashes and 2 `**`"],
    ),
    "too many wildcards for folders": (
        'exclude = ["**/a/**", "**/a/**/b/**"]',
        ["1: `exclude`: has a pattern with too many wildcards: at most 3 `*` between slashes and 2 `**`"],
    ),
    "not TOML": ('ignore = [\n"secret-in-arg",\n]\nselect = = 3', ["4: not valid TOML: Invalid value"]),
    "end of file in a list": ("ignore = [", ["1: not valid TOML: Invalid value"]),
    "unknown key of a command": (
        '[commands.acme]\naliases = []\n\n[[commands.acme.stores]]\nwen = ["login"]',
        ["5: `commands.acme`: stores: unknown key `wen`; did you mean `when`?"],
    ),
    "command that is no table": ("[commands]\nacme = 1", ["2: `commands.acme`: must be a table"]),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_names_line_key_and_the_nearest_valid_one(text: str, expected: list[str]) -> None:
    assert errors(text) == expected


def test_a_pattern_that_can_not_be_read_is_told() -> None:
    assert errors('select = []\nexclude = ["a/", "[m-a]"]') == ["2: `exclude`: has a pattern that can't be read"]


def test_no_more_problems_than_anyone_reads() -> None:
    assert len(errors("".join(f"k{number} = 1\n" for number in range(500)))) == 100


def test_a_key_of_many_parts_is_refused() -> None:
    assert errors(".".join(["a"] * 60) + " = 1") == ["1: nested too deeply"]


def test_all_errors_are_reported_at_once_in_order() -> None:
    assert [line.split(":")[0] for line in errors("b = 1\na = 2\n\nselct = []")] == ["1", "2", "4"]


def test_a_line_is_found_in_spite_of_strings_that_look_like_keys() -> None:
    text = (
        'note = """\nignore = 1\n[severity]\n"""\nother = [\n  # ignore = 2\n  "]", "ignore = 3",\n]\nignore = ["x"]\n'
    )
    assert line_of_key(text, ("ignore",)) == 9


def test_dotted_and_quoted_keys_are_found() -> None:
    text = '[tool]\nbuildhush.ignore = ["x"]\n["tool".\'other\']\nk = 1'
    assert line_of_key(text, ("tool", "buildhush", "ignore")) == 2
    assert line_of_key(text, ("tool", "other", "k")) == 4


def test_overrides_add_names_and_replace_the_selection(tmp_path: Path) -> None:
    configuration = parse_configuration(
        """\
select = ["secret-in-arg"]
ignore = ["secret-in-env"]
secret-names = ["A"]

[[overrides]]
files = ["legacy/", "*.old.Dockerfile"]
select = ["secret-in-build-log"]
ignore = ["unused-secret-mount"]
secret-names = ["B", "A"]
severity = { secret-in-build-log = "hint" }

[[overrides]]
files = ["legacy/new/*"]
require-reason = true
""",
        tmp_path / ".buildhush.toml",
        RULES,
    )
    plain = configuration.settings_for(tmp_path / "app" / "Dockerfile")
    assert plain == configuration.settings
    legacy = configuration.settings_for(tmp_path / "legacy" / "deep" / "Dockerfile")
    assert legacy.select == {"secret-in-build-log"}
    assert legacy.ignore == {"secret-in-env", "unused-secret-mount"}
    assert legacy.secret_names == ("A", "B")
    assert legacy.severity == {"secret-in-build-log": Severity.HINT}
    assert configuration.settings_for(tmp_path / "x" / "web.old.Dockerfile").select == {"secret-in-build-log"}
    newest = configuration.settings_for(tmp_path / "legacy" / "new" / "Dockerfile")
    assert newest.require_reason is True
    assert newest.select == {"secret-in-build-log"}
    assert configuration.settings_for(None) == configuration.settings
    assert configuration.settings_for("/somewhere/else/legacy/Dockerfile") == configuration.settings


def test_the_nearest_file_holds_alone() -> None:
    texts = {
        Path("/w/.buildhush.toml"): 'ignore = ["secret-in-env"]',
        Path("/w/a/pyproject.toml"): '[tool.buildhush]\nignore = ["secret-in-arg"]',
        Path("/w/b/pyproject.toml"): "[tool.other]\nx = 1",
        Path("/w/c/pyproject.toml"): '[tool.buildhush]\nignore = ["secret-in-arg"]',
        Path("/w/c/.buildhush.toml"): "",
    }

    def ignored(folder: str) -> set[str]:
        return set(load_config(Path(folder), texts.get, RULES).settings.ignore)

    assert ignored("/w") == {"secret-in-env"}
    assert ignored("/w/a/deep") == {"secret-in-arg"}
    assert ignored("/w/b") == {"secret-in-env"}
    assert ignored("/w/c") == set()
    assert ignored("/other") == set()


def test_errors_in_a_project_file_carry_its_own_keys() -> None:
    text = '[project]\nname = "x"\n[tool.buildhush]\nselect = ["secret-in-args"]\n'
    with pytest.raises(ConfigurationError) as caught:
        parse_project_file(text, Path("pyproject.toml"), RULES)
    assert str(caught.value) == (
        "pyproject.toml:4: `tool.buildhush.select`: `secret-in-args` is no rule; did you mean `secret-in-arg`?"
    )


def test_a_broken_project_file_without_our_table_is_not_our_business() -> None:
    assert parse_project_file("[project\nbuildhush = 1", Path("pyproject.toml"), RULES) is None
    with pytest.raises(ConfigurationError):
        parse_project_file("[tool.buildhush]\nselect = = 1", Path("pyproject.toml"), RULES)


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert parse('\ufeffignore = ["secret-in-env"]\r\nrequire-reason = true\r\n').settings.require_reason is True


def test_settings_of_an_editor_come_as_values() -> None:
    assert parse_table({"ignore": ["secret-in-env"]}, Path("settings"), RULES).settings.ignore == {"secret-in-env"}
    with pytest.raises(ConfigurationError, match="settings:1: `ignore`"):
        parse_table({"ignore": 3}, Path("settings"), RULES)


def test_the_schema_accepts_what_the_parser_accepts_and_no_more() -> None:
    import jsonschema
    import tomlkit

    from buildhush.cli.schema import json_schema

    schema = json_schema(RULES)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    good = (
        'select = ["secret-in-arg"]\nfail-on = "hint"\n[severity]\nsecret-in-env = "hint"\n[[overrides]]\nfiles = ["a"]'
    )
    assert list(validator.iter_errors(json.loads(json.dumps(tomlkit.parse(good))))) == []
    parse(good)
    for name, (text, _) in ERRORS.items():
        if "TOML" not in name and "end of file" not in name and "key of a command" not in name:
            assert list(validator.iter_errors(json.loads(json.dumps(tomlkit.parse(text))))), name


def test_every_option_is_in_the_schema_with_its_help() -> None:
    from buildhush.cli.schema import json_schema

    properties = json_schema(RULES)["properties"]
    assert {option.key: option.help for option in OPTIONS} == {
        key: value["description"] for key, value in properties.items() if key != "overrides"
    }
