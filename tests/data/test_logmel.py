import numpy as np
import pytest
import torch

from dlcli.data.logmel import LogMel
from dlcli.data.spec import Spectrogram

SPEECH = Spectrogram(sample_rate=8000, window=200, hop=80, n_mels=40)


def noise(count, samples, seed=0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(-9000, 9000, (count, samples)).astype(np.int16))


def reference(samples, spectrogram, points):
    """One sound by a written-out transform: frames, a Hann window, a Fourier sum, triangles."""
    size, hop = spectrogram.window, spectrogram.hop
    sound = np.concatenate([np.zeros(size // 2), samples / 32768, np.zeros(size)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(points // 2 + 1), np.arange(size)) / points)
    corners = np.linspace(0, 2595 * np.log10(1 + spectrogram.sample_rate / 2 / 700), 2 + 40)
    corners = 700 * (10 ** (corners / 2595) - 1)
    frequencies = np.arange(points // 2 + 1) * spectrogram.sample_rate / points
    rows = []
    for start in range(0, len(samples) + 1, hop):
        power = np.abs(fourier @ (sound[start : start + size] * hann)) ** 2
        rows.append(
            [
                power @ np.interp(frequencies, corners[band : band + 3], [0, 1, 0])
                for band in range(spectrogram.n_mels)
            ]
        )
    return np.log(np.array(rows).T + 1e-6)


def test_the_bands_are_those_of_the_definition():
    log_mel, samples = LogMel(SPEECH), noise(3, 1000)
    found = log_mel(samples)
    expected = [reference(row, SPEECH, log_mel.points) for row in samples.numpy()]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), rtol=1e-4, atol=1e-4)


def test_the_power_is_that_of_torch_stft():
    log_mel, samples = LogMel(SPEECH), noise(2, 1000)
    waves = torch.stft(
        samples.float() / 32768,
        SPEECH.window,
        SPEECH.hop,
        window=torch.hann_window(SPEECH.window),
        pad_mode="constant",
        return_complex=True,
    )
    unpadded = LogMel(SPEECH)
    unpadded.points = SPEECH.window
    unpadded.filters = torch.eye(SPEECH.window // 2 + 1)
    assert log_mel(samples).shape[2] == waves.shape[2]
    torch.testing.assert_close(
        unpadded(samples), (waves.abs() ** 2 + 1e-6).log(), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 500])
@pytest.mark.parametrize("window", [200, 201])
def test_there_are_as_many_frames_as_it_says(samples, window):
    log_mel = LogMel(Spectrogram(8000, window, 80, 16))
    assert log_mel(noise(2, samples)).shape == (2, 16, log_mel.frames(samples))


def test_a_tone_is_loudest_in_its_own_band():
    time = np.arange(8000) / 8000
    tones = [np.sin(2 * np.pi * hertz * time) for hertz in (300, 1000, 3000)]
    bands = LogMel(SPEECH)(torch.from_numpy((np.stack(tones) * 20000).astype(np.int16)))
    peaks = bands[:, :, 50].argmax(1)
    mels = 2595 * np.log10(1 + np.array([300, 1000, 3000]) / 700)
    expected = mels / (2595 * np.log10(1 + 4000 / 700)) * 41 - 1
    assert np.abs(peaks.numpy() - expected).max() <= 0.75


@pytest.mark.parametrize(("rate", "n_mels"), [(8000, 64), (8000, 256), (16000, 80), (44100, 128)])
def test_no_band_is_empty(rate, n_mels):
    log_mel = LogMel(Spectrogram(rate, rate // 40, rate // 100, n_mels))
    assert (log_mel.filters.sum(0) > 0).all()


def test_silence_is_the_floor_and_a_sound_does_not_depend_on_its_mates():
    log_mel, samples = LogMel(SPEECH), noise(4, 800)
    assert torch.allclose(log_mel(torch.zeros_like(samples)), torch.tensor(1e-6).log())
    torch.testing.assert_close(log_mel(samples)[2:3], log_mel(samples[2:3]), rtol=0, atol=1e-5)


def test_half_precision_around_it_changes_nothing():
    log_mel, samples = LogMel(SPEECH), noise(2, 800)
    with torch.autocast("cpu", torch.bfloat16):
        found = log_mel(samples)
    torch.testing.assert_close(found, log_mel(samples), rtol=0, atol=0)
