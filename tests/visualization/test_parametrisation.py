"""Spectra, phases, colours and views: exact identities, and numbers from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from inception_model.images.samples import sample_photos
from inception_model.visualization import views
from inception_model.visualization.colour import decorrelation, from_rgb, to_rgb
from inception_model.visualization.parametrisation import Fourier, Phases, frequencies, natural_magnitudes
from inception_model.visualization.views import random_views
from tests.compare import assert_close, relative_norm

LUCID = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""`color_correlation_svd_sqrt` as lucid and lucent print it, with two digits."""


def _generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


def test_colours_are_lucids_up_to_signs_and_printed_digits() -> None:
    theirs = np.array(LUCID)
    theirs = theirs / np.linalg.norm(theirs, axis=0).max()
    ours = decorrelation().numpy()
    assert np.abs(np.abs(ours) - np.abs(theirs)).max() < 0.045
    assert (np.sign((ours * theirs).sum(0)) != 0).all()


def test_colours_are_the_principal_axes_of_a_covariance() -> None:
    """M M' is the covariance with the published axes and variances; numpy's own decomposition gives them back."""
    matrix = decorrelation().double().numpy()
    values, axes = np.linalg.eigh(matrix @ matrix.T)
    assert_close(values[::-1] / values[-1], [1, 0.0188 / 0.2175, 0.0045 / 0.2175], 2e-3)
    grey = axes[:, -1] / np.sign(axes[0, -1])
    assert_close(grey, [0.5675, 0.5808, 0.5836], 2e-3)


def test_photos_are_less_correlated_in_these_colours() -> None:
    pixels = np.concatenate([np.asarray(photo.image).reshape(-1, 3)[::50] for photo in sample_photos()]) / 255
    turned = from_rgb(torch.from_numpy(pixels).T[None, :, :, None]).squeeze().T.numpy()

    def most(values: np.ndarray) -> float:
        between = np.corrcoef(values.T)
        return float(np.abs(between[np.triu_indices(3, 1)]).mean())

    assert most(turned) < 0.5 * most(pixels)


def test_colours_there_and_back() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    assert_close(from_rgb(to_rgb(x)), x, 1e-10)
    assert_close(to_rgb(x)[:, :, 2, 1], x[:, :, 2, 1] @ decorrelation(x).T, 1e-10)


@pytest.mark.parametrize("size", [32, 33])
def test_a_picture_starts_as_noise_that_falls_with_frequency(size: int) -> None:
    pictures = Fourier(size, _generators(3)).pictures()
    assert pictures.shape == (3, 3, size, size)
    assert float(pictures.min()) > 0
    assert float(pictures.max()) < 1
    assert float(pictures.std()) < 0.05
    plain = np.fft.rfft2(Fourier(size, _generators(200)).plain().detach().numpy())
    amplitude, frequency = np.abs(plain).mean((0, 1)), frequencies(size).numpy()
    slope = np.polyfit(np.log(frequency[1:8, 1:8].ravel()), np.log(amplitude[1:8, 1:8].ravel()), 1)[0]
    assert slope == pytest.approx(-1, rel=0.1)


def test_noise_depends_on_the_seed_and_on_nothing_else() -> None:
    three = Fourier(32, _generators(3)).pictures()
    assert torch.equal(Fourier(32, _generators(1, seed=2)).pictures()[0], three[2])
    assert not torch.equal(three[0], three[1])


def test_a_photo_to_start_from_is_what_comes_out() -> None:
    photo = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1)) * 0.9 + 0.05
    pictures = Fourier(40, _generators(2), photo).pictures()
    assert relative_norm(pictures, photo.expand(2, -1, -1, -1)) < 1e-5


@pytest.mark.parametrize("size", [32, 33])
def test_phases_keep_the_magnitudes_exactly(size: int) -> None:
    magnitudes = natural_magnitudes(size)
    phases = Phases(magnitudes, _generators(2))
    with torch.no_grad():
        phases.parameter += 3 * torch.randn(phases.parameter.shape, generator=torch.Generator().manual_seed(3))
        plain = phases.plain().double()
    found = np.abs(np.fft.rfft2(plain.numpy()))
    assert relative_norm(found, magnitudes.expand(2, -1, -1, -1)) < 1e-5
    assert_close(plain.std(dim=(2, 3), correction=0), torch.ones(2, 3), 1e-5)
    # Were the mirrored columns' phases free, the spectrum of the real picture would not be the given one.
    phases.phases = lambda: phases.parameter  # type: ignore[method-assign]
    assert relative_norm(np.abs(np.fft.rfft2(phases.plain().detach().numpy())), found) > 1e-2


def test_a_view_is_an_affine_map_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """One drawn view against scipy's affine transformation with the same numbers, away from the border."""
    size = 48
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).random((size, size)), 3)
    picture = torch.from_numpy(smooth).float().expand(1, 3, size, size)
    found = random_views(picture, _generators(1, seed=5))[0, 0].numpy()
    first_x, first_y, scale, degrees, last_x, last_y = (
        2 * torch.rand(6, generator=torch.Generator().manual_seed(5)) - 1
    ).tolist()
    angle, middle = math.radians(views.DEGREES * degrees), (size - 1) / 2
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / (1 + 0.1 * scale)
    # scipy counts rows first and maps an output's position to the input's.
    last = np.array([last_y, last_x]) * views.JITTER[1] / 2
    first = np.array([first_y, first_x]) * views.JITTER[0] / 2
    offset = middle + first + turn @ (last - middle)
    wanted = ndimage.affine_transform(smooth, turn, offset, order=1, mode="constant", cval=0.5)
    inner = slice(10, -10)
    assert relative_norm(found[inner, inner], wanted[inner, inner]) < 1e-4
    assert relative_norm(found[inner, inner], smooth[inner, inner]) > 1e-2


def test_views_stay_within_lucids_ranges() -> None:
    """A bright dot in the middle never moves farther than both jitters, and what is outside is grey."""
    picture = torch.full((200, 3, 41, 41), 0.5)
    picture[:, :, 20, 20] = 1
    seen = random_views(picture, _generators(200))[:, 0] - 0.5
    where = np.array([ndimage.center_of_mass(view) for view in seen.numpy()]) - 20
    reach = (views.JITTER[0] + views.JITTER[1]) / 2 * (1 + views.SCALE)
    assert 0.7 * reach < np.abs(where).max() <= reach * math.sqrt(2)
    dark = random_views(torch.zeros(8, 3, 41, 41), _generators(8))
    assert float(dark.max()) == pytest.approx(0.5, rel=1e-6)
