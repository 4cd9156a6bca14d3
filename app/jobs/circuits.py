"""What stands before and behind a channel, from the weights alone: the same for every photo, remembered."""

from __future__ import annotations

from app.state import network
from app.state.selection import Unit
from inception_model.architecture.address import UnitAddress
from inception_model.circuits.connections import Circuit, circuit, unit_of


def address_of(unit: Unit) -> UnitAddress:
    """The convolution's channel that the picked one is: of an input, in the module (or the stem) before."""
    spec = network.spec()
    if unit.node == "output":
        return unit_of(spec, unit.module, unit.channel)
    if unit.node != "input":
        return UnitAddress(unit.module, unit.node, unit.channel)
    place = spec.module_names.index(unit.module)
    if place == 0:
        return UnitAddress(None, "conv2", unit.channel)
    return unit_of(spec, spec.module_names[place - 1], unit.channel)


def circuit_of(unit: UnitAddress) -> Circuit:
    """Its connections; some milliseconds, so that the page waits."""
    service = network.service()
    return service.remember(("", ("circuit", unit)), lambda: circuit(service.classifier, unit))
