"""Channels that a visitor keeps, per network: the same address means another channel in another one."""

from __future__ import annotations

import json

from app.state import network, session
from inception_model.architecture.address import UnitAddress, parse_unit
from inception_model.circuits.pictures import name_of

_NAME = "favourites"


def kept() -> tuple[UnitAddress, ...]:
    """The channels of the chosen network that were kept, in that order."""
    spec = network.spec()
    return tuple(parse_unit(text, spec) for text in _all().get(_network(), ()))


def toggle(unit: UnitAddress) -> None:
    """Keeps a channel, or lets go of one that was kept."""
    text, found = str(unit), _all()
    mine = found.get(_network(), ())
    after = tuple(each for each in mine if each != text) if text in mine else (*mine, text)
    session.put(_NAME, {**found, _network(): after})


def forget() -> None:
    """Lets go of all of the chosen network's."""
    session.put(_NAME, {name: units for name, units in _all().items() if name != _network()})


def as_json() -> str:
    """What was kept, for another program or another day: addresses, names and links, and the network they belong to."""
    checkpoint = network.checkpoint()
    units = [{"unit": str(unit), "name": name_of(checkpoint, unit), "link": f"?unit={unit}"} for unit in kept()]
    told = {"checkpoint": checkpoint.name, "sha256": checkpoint.sha256, "units": units}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _network() -> str:
    return network.checkpoint().sha256


def _all() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = session.get(_NAME, {})
    return found
