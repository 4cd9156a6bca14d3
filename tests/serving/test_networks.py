"""Networks that many share: loaded once, bounded in number, and none is taken from those who use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator

import pytest

from inception_model.inference.classifier import Classifier
from inception_model.progress import Cancelled
from inception_model.serving.networks import Networks, NetworksInUseError
from inception_model.serving.service import InferenceService
from tests.serving.threads import wait_until

Load = Callable[[], InferenceService]


@pytest.fixture
def load(tiny_classifier: Classifier) -> Iterator[Load]:
    """Another service each time; all are closed in the end."""
    made: list[InferenceService] = []

    def new() -> InferenceService:
        made.append(InferenceService(tiny_classifier, twins=1))
        return made[-1]

    yield new
    for service in made:
        service.close()


def closed(service: InferenceService) -> bool:
    try:
        service.run(lambda twin: None, timeout=20)
    except Cancelled:
        return True
    return False


def test_a_network_in_use_is_not_evicted(load: Load) -> None:
    here: set[Hashable] = {"ada", "bob", "eve"}
    networks = Networks(here.__contains__, most=2)
    first, second = networks.use("1", "ada", load), networks.use("2", "bob", load)
    assert networks.use("1", "ada", load) is first
    with pytest.raises(NetworksInUseError, match="holds 2 networks at a time and somebody is using each"):
        networks.use("3", "eve", load)
    assert not closed(first)
    assert not closed(second)
    assert (networks.users("1"), networks.users("2"), networks.users("3")) == (1, 1, 0)
    assert networks.use("1", "eve", load) is first, "she can choose one of these"
    here.remove("bob")
    third = networks.use("3", "eve", load)
    assert closed(second), "nobody uses it any more"
    assert not closed(first)
    assert networks.use("3", "ada", load) is third
    assert (networks.users("1"), networks.users("3")) == (0, 2)


def test_of_those_that_nobody_uses_the_one_asked_for_longest_ago_goes(load: Load) -> None:
    networks = Networks(lambda user: True, most=3)
    one, two, three = (networks.use(key, "ada", load) for key in "123")
    networks.use("1", "ada", load)
    networks.use("4", "ada", load)
    assert [closed(service) for service in (one, two, three)] == [False, True, False]
    assert networks.find(lambda key: key == "2") is None
    assert networks.find(lambda key: key == "1") is one


def test_the_only_user_of_a_network_can_give_it_up_for_another(load: Load) -> None:
    networks = Networks(lambda user: True, most=1)
    first = networks.use("1", "ada", load)
    second = networks.use("2", "ada", load)
    assert second is not first
    assert closed(first)


def test_a_network_that_fails_to_load_takes_no_place_and_nothing_from_its_user(load: Load) -> None:
    networks = Networks(lambda user: True, most=2)
    first = networks.use("1", "ada", load)

    def fail() -> InferenceService:
        raise OSError("no such file")

    for _ in range(5):
        with pytest.raises(OSError, match="no such file"):
            networks.use("2", "ada", fail)
    assert networks.use("1", "ada", fail) is first
    assert networks.users("1") == 1


def test_those_who_ask_at_once_share_one_loading_and_others_are_not_held_up(load: Load) -> None:
    networks, go, begun = Networks(lambda user: True, most=2), threading.Event(), list[str]()
    other = networks.use("other", "eve", load)

    def slow() -> InferenceService:
        begun.append("loading")
        assert go.wait(20)
        return load()

    found: list[InferenceService] = []
    threads = [threading.Thread(target=lambda n=n: found.append(networks.use("1", n, slow))) for n in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: networks.users("1") == 3)
    assert networks.use("other", "eve", slow) is other
    with pytest.raises(NetworksInUseError):
        networks.use("2", "bob", load)
    go.set()
    for thread in threads:
        thread.join(20)
    assert begun == ["loading"]
    assert len(found) == 3
    assert len(set(map(id, found))) == 1
