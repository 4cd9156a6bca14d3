"""`--help` of every command and action has examples, and the parser takes each of them."""

from __future__ import annotations

import shlex

import pytest

from inception_model.cli import COMMANDS, PROGRAM, build_parser
from inception_model.cli.examples import actions_of

PLACES = [
    place
    for command in COMMANDS
    for place in [
        command,
        *(f"{command} {action}" for action in actions_of(actions_of(build_parser())[command])),
    ]
]


def test_the_actions_are_seen() -> None:
    assert set(COMMANDS) <= set(PLACES)
    assert "checkpoints fetch" in PLACES


@pytest.mark.parametrize("place", PLACES)
def test_help_has_examples_that_parse(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser()
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([*place.split(), "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "examples:\n" in told
    start = f"  {PROGRAM} "
    examples = [
        line.removeprefix(start) for line in told.partition("examples:\n")[2].splitlines() if line.startswith(start)
    ]
    assert examples
    for example in examples:
        assert example.startswith(place)
        args = parser.parse_args(shlex.split(example))  # a wrong one ends with SystemExit
        assert args.command == place.split()[0]
        assert callable(args.run)
