import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from dlcli.config.data import SoundOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.registry import encoder_from_state
from dlcli.data.encoders.sound import SoundFit
from dlcli.data.logmel import LogMel
from dlcli.data.sounds import resampled
from tests.sound_files import tone, write_wav

OPTIONS = SoundOptions(n_mels=16)


def whole(samples):
    return np.rint(np.asarray(samples) * 32768).astype(np.int16)


def cells(sounds, rate=8000):
    return pa.array(
        [{"rate": rate, "samples": whole(one).tolist()} for one in sounds],
        pa.struct([("rate", pa.int32()), ("samples", pa.large_list(pa.int16()))]),
    )


def fitted(sounds, options=OPTIONS, chunk=2):
    fit = SoundFit("audio", options)
    for _ in range(2):
        for start in range(0, len(sounds), chunk):
            fit.add(cells(sounds).slice(start, chunk))
        if not fit.again():
            break
    return fit.finish()


SOUNDS = [tone(300, seconds=0.05), tone(900, seconds=0.1), tone(2000, seconds=0.08)]


def test_bands_have_the_mean_and_deviation_of_all_training_frames():
    encoder = fitted(SOUNDS)
    bands = LogMel(encoder.field.spectrogram)(encoder.encode(cells(SOUNDS))).double()
    frames = bands.transpose(1, 2).flatten(0, 1)
    np.testing.assert_allclose(encoder.mean, frames.mean(0), rtol=1e-6)
    np.testing.assert_allclose(encoder.std, frames.std(0, correction=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "length"),
    [(SoundOptions(), 800), (SoundOptions(seconds=0.06), 480), (SoundOptions(seconds=0.5), 4000)],
)
def test_the_length_is_given_or_the_longest_of_training(options, length):
    encoder = fitted(SOUNDS, options)
    found = encoder.encode(cells(SOUNDS))
    assert (found.dtype, found.shape) == (torch.int16, (3, length))
    kept = min(400, length)
    assert found[0, :kept].tolist() == whole(SOUNDS[0])[:kept].tolist()
    assert not found[0, 400:].any()


def test_the_longest_is_at_most_ten_seconds():
    assert fitted([np.zeros(81_000), np.zeros(9)], SoundOptions(n_mels=4)).length == 80_000


def test_it_comes_back_from_its_state():
    encoder = fitted(SOUNDS)
    assert encoder_from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_every_form_of_a_sound_is_the_same(tmp_path):
    encoder = fitted(SOUNDS)
    expected = encoder.encode(cells(SOUNDS))
    paths = [str(write_wav(tmp_path / f"{i}.wav", one)) for i, one in enumerate(SOUNDS)]
    forms = {
        "paths": pa.array(paths),
        "whole": pa.array([whole(one).tolist() for one in SOUNDS]),
        "floats": pa.array([one.tolist() for one in SOUNDS]),
    }
    for name, array in forms.items():
        assert torch.equal(encoder.encode(array), expected), name


def test_a_file_of_another_rate_is_resampled(tmp_path):
    encoder = fitted(SOUNDS)
    fast = write_wav(tmp_path / "a.wav", tone(300, rate=16000, seconds=0.1), rate=16000)
    found = encoder.encode(pa.array([str(fast)]))
    slow = encoder.encode(cells([tone(300, seconds=0.1)]))
    assert (found - slow)[:, 50:-50].abs().max() < 100


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([None], pa.string()), "is missing"),
        (pa.array(["no.wav"]), "is not there"),
        (pa.array([[0.5, 1.5]]), "is no sound: the path of a file, or a list of samples"),
        (pa.array([[40000]]), "is no sound"),
        (pa.array([[]], pa.list_(pa.float64())), "is no sound"),
        (pa.array([7]), "is no sound"),
    ],
)
def test_what_is_no_sound_is_named(array, said):
    with pytest.raises(CellError, match=said):
        fitted(SOUNDS).encode(array)


def test_a_broken_file_is_named(tmp_path):
    path = write_wav(tmp_path / "a.wav", tone())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CellError, match="is cut short") as error:
        fitted(SOUNDS).encode(pa.array([str(path)]))
    assert error.value.value == str(path)


def test_a_list_of_samples_is_read_whatever_stands_beside_it():
    encoder = fitted(SOUNDS)
    alone = encoder.encode(pa.array([[0, 1, 1, 0]]))
    beside = encoder.encode(pa.array([[0, 1, 1, 0], [0.5, -0.5, 0.25, 0.0]]))
    assert torch.equal(alone[0], beside[0])


def test_the_rate_is_the_most_frequent_and_the_length_counts_at_that_rate():
    fit = SoundFit("audio", OPTIONS)
    for _ in range(2):
        fit.add(cells([tone(rate=16000, seconds=0.2)], rate=16000))
        fit.add(cells(SOUNDS[:2]))
        fit.again()
    encoder = fit.finish()
    assert (encoder.sample_rate, encoder.length) == (8000, 1600)
    sound = tone(rate=16000, seconds=0.2)
    found = encoder.encode(cells([sound], rate=16000))[0]
    assert found.tolist() == resampled(whole(sound), 16000, 8000).tolist()
