"""Dead ReLUs get a start; live ones keep their gradient."""

from __future__ import annotations

import torch

from inception_model.visualization.redirected import redirected_relu


def _gradient(x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (weights * redirected_relu(x)).sum().backward()
    assert x.grad is not None
    return x.grad


def test_values_are_relus() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(redirected_relu(x), x.relu())


def test_a_live_images_gradient_is_relus() -> None:
    x, weights = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    assert torch.equal(_gradient(x, weights), weights * (x > 0))


def test_a_dead_images_gradient_only_raises() -> None:
    """Of two images one is dead: descent may raise its values and never lowers them."""
    x, weights = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    x[1] = -x[1].abs() - 0.1
    found = _gradient(x, weights)
    assert torch.equal(found[0], weights[0] * (x[0] > 0))
    assert torch.equal(found[1], weights[1].clamp(max=0))
    assert int((found[1] < 0).sum()) > 5


def test_an_image_that_lives_where_no_gradient_comes_is_started_too() -> None:
    x = torch.tensor([[1.0, -1.0]])
    assert _gradient(x, torch.tensor([[0.0, -2.0]])).tolist() == [[0.0, -2.0]]
