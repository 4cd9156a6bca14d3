"""Every hostile file is refused in words, or read where it does no harm, within two seconds and 300 MB."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checkpoints.hostile import caffe_files, corpus, safetensors_files, torch_files
from tests.checkpoints.hostile.corpus import CORPUS, faults_of


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By name of the file: what a process of its own read, said and took."""
    return corpus.outcomes(tmp_path_factory.mktemp("hostile"))


def test_there_are_many_hostile_files_of_every_format() -> None:
    assert len(CORPUS) > 200
    assert len(safetensors_files.FILES) > 50
    assert len(torch_files.FILES) > 60
    assert len(caffe_files.FILES) > 30


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_refused_in_words_or_does_no_harm(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    assert not faults_of(name, outcomes[name])
