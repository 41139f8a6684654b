import numpy as np
import pytest

from dlcli.data.sounds import SoundError, decoded, fitted, read_bytes, resampled
from tests.sound_files import float_wav, tone, write_wav


@pytest.mark.parametrize(("width", "error"), [(1, 2**-7), (2, 2**-15), (3, 2**-15), (4, 2**-15)])
def test_whole_numbers_of_every_width_are_the_same_sound(tmp_path, width, error):
    samples = tone()
    found, rate = decoded(write_wav(tmp_path / "a.wav", samples, width=width).read_bytes(), 10)
    assert (found.dtype, rate) == (np.int16, 8000)
    assert np.abs(found / 32768 - samples).max() <= error


def test_16_bits_are_kept_exactly(tmp_path):
    whole = np.arange(-32768, 32768, 7)
    found, _ = decoded(write_wav(tmp_path / "a.wav", whole / 32768).read_bytes(), 10)
    assert (found == whole).all()


def test_stereo_becomes_the_mean_of_both(tmp_path):
    both = np.stack([tone(200), tone(300)], 1)
    found, _ = decoded(write_wav(tmp_path / "a.wav", both).read_bytes(), 10)
    assert np.abs(found / 32768 - both.mean(1)).max() <= 2**-15


def test_floating_point_is_read_by_soundfile():
    pytest.importorskip("soundfile", reason="the extra `audio`")
    samples = tone()
    found, rate = decoded(float_wav(samples), 10)
    assert rate == 8000
    assert np.abs(found / 32768 - samples).max() <= 2**-15


def test_flac_is_read_by_soundfile(tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extra `audio`")
    samples = tone()
    soundfile.write(tmp_path / "a.flac", samples, 8000)
    found, rate = decoded((tmp_path / "a.flac").read_bytes(), 10)
    assert rate == 8000
    assert np.abs(found / 32768 - samples).max() <= 2**-15


def test_only_so_many_seconds_are_read(tmp_path):
    data = write_wav(tmp_path / "a.wav", tone(seconds=0.5)).read_bytes()
    assert len(decoded(data, 0.1)[0]) == 800


def test_another_rate_is_the_same_tone():
    slow, fast = tone(440, rate=8000, seconds=0.5), tone(440, rate=44100, seconds=0.5)
    whole = np.rint(fast * 32768).astype(np.int16)
    found = resampled(whole, 44100, 8000)
    assert len(found) == len(slow)
    assert np.abs(found / 32768 - slow)[200:-200].max() < 2e-3
    assert resampled(whole, 44100, 44100) is whole


def test_what_no_slower_rate_can_hold_is_filtered_out():
    whole = np.rint(tone(6000, rate=16000, seconds=0.5) * 32768).astype(np.int16)
    assert np.abs(resampled(whole, 16000, 8000)[100:-100]).max() < 200


def test_longer_sounds_are_cut_and_shorter_ones_end_in_silence():
    found = fitted([np.array([1, 2, 3], np.int16), np.array([4], np.int16)], 2)
    assert found.tolist() == [[1, 2], [4, 0]]


def wav(tmp_path):
    return write_wav(tmp_path / "a.wav", tone()).read_bytes()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:0], "is empty"),
        (lambda data: data[:-600], "is cut short: 1,000 of 1,600 bytes"),
        (lambda data: data[:20], "is damaged: its header leads to no sound"),
        (lambda data: data[:40] + bytes(4), "has no samples"),
        (lambda data: data[:24] + bytes(4) + data[28:], "is damaged: 0 samples per second"),
        (
            lambda data: data[:24] + b"\xfb\xff\xff\xff" + data[28:],
            "damaged: 4,294,967,291 samples",
        ),
        (lambda data: data[:22] + bytes(2) + data[24:], "is damaged \\(bad # of channels"),
    ],
)
def test_damage_is_named(tmp_path, damage, said):
    with pytest.raises(SoundError, match=said):
        decoded(damage(wav(tmp_path)), 10)


def test_what_is_not_finite_is_refused():
    pytest.importorskip("soundfile", reason="the extra `audio`")
    with pytest.raises(SoundError, match="not finite"):
        decoded(float_wav([0.0, np.nan]), 10)


def test_text_is_no_sound():
    pytest.importorskip("soundfile", reason="the extra `audio`")
    with pytest.raises(SoundError, match="is no sound"):
        decoded(b"hello, world" * 10, 10)


def test_a_folder_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(SoundError, match="is not a file"):
        read_bytes(tmp_path)
    with pytest.raises(SoundError, match="is not there"):
        read_bytes(tmp_path / "no.wav")
