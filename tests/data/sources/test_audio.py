import numpy as np
import pytest
from pydantic import ValidationError

from dlcli.config.data import AudioOptions
from dlcli.data.prepare import prepare
from dlcli.data.sounds import decoded, resampled
from dlcli.data.sources.audio import labelled_files, open_audio
from dlcli.data.sources.sound_listing import name_pattern
from dlcli.errors import ConfigError, DataError
from tests.sound_files import tone, write_wav

SOUND = {"n_mels": 8}
PATTERN = "{label}_{speaker}_{index}.wav"


def named(folder, speakers=("ann", "bob"), count=12, **options):
    for label, hertz in (("low", 300), ("high", 2000)):
        for speaker in speakers:
            for index in range(count):
                samples = tone(hertz + index, seconds=0.02 + index / 1000)
                write_wav(folder / f"{label}_{speaker}_{index}.wav", samples, **options)
    return folder


def opened(folder, **options):
    return open_audio(AudioOptions(**{"path": "sounds", "sound": SOUND, **options}), folder)


def column(source, name):
    return [cell for batch in source.chunks([name]) for cell in batch.column(name).to_pylist()]


def test_a_folder_per_class_names_the_classes(tmp_path):
    write_wav(tmp_path / "sounds" / "cat" / "1.wav", tone())
    write_wav(tmp_path / "sounds" / "dog" / "deep" / "2.WAV", tone())
    write_wav(tmp_path / "sounds" / ".hidden" / "3.wav", tone())
    write_wav(tmp_path / "sounds" / "stray.wav", tone())
    (tmp_path / "sounds" / "dog" / "notes.txt").write_text("not a sound")
    sources = opened(tmp_path)
    assert column(sources.train, "label") == ["cat", "dog"]
    assert sources.task == "classification"
    assert any("notes.txt" in said for said in sources.warnings)
    assert any("stray.wav" in said and "no folder of a class" in said for said in sources.warnings)


def test_file_names_say_the_columns(tmp_path):
    named(tmp_path / "sounds", count=2)
    write_wav(tmp_path / "sounds" / "odd.wav", tone())
    sources = opened(tmp_path, pattern=PATTERN)
    assert set(column(sources.train, "speaker")) == {"ann", "bob"}
    assert set(column(sources.train, "label")) == {"high", "low"}
    assert any("odd.wav" in said for said in sources.warnings)


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        (PATTERN, "7_jackson_32.WAV", {"label": "7", "speaker": "jackson", "index": "32"}),
        ("{label}-{take}.*.wav", "a-1.*.wav", {"label": "a", "take": "1"}),
        ("{speaker}/{label}.wav", "ann/seven.wav", {"speaker": "ann", "label": "seven"}),
        (PATTERN, "7_jackson.wav", None),
        ("{label}.wav", "ann/seven.wav", None),
    ],
)
def test_a_pattern_matches_whole_names(pattern, name, found):
    match = name_pattern(pattern).fullmatch(name)
    assert (match and match.groupdict()) == found


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ({"index": [0, "01"]}, {"0", "1"}),
        ({"index": [0, 1], "speaker": ["ann"]}, {"0", "1"}),
    ],
)
def test_test_rows_are_chosen_by_what_names_say(tmp_path, where, names):
    named(tmp_path / "sounds", count=3)
    sources = opened(tmp_path, pattern=PATTERN, test_where=where)
    assert set(column(sources.test, "index")) == names
    assert len(column(sources.test, "index")) == 4 * 2 // len(where)
    assert len(column(sources.train, "index")) == 12 - len(column(sources.test, "index"))


def test_a_table_names_files_beside_it(tmp_path):
    for name in ("a", "b", "c"):
        write_wav(tmp_path / "sounds" / "files" / f"{name}.wav", tone())
    table = tmp_path / "sounds" / "table.csv"
    table.write_text("file,word,who\nfiles/a.wav,yes,1\nfiles/b.wav,no,2\nfiles/c.wav,,2\n")
    sources = opened(tmp_path, path="sounds/table.csv", audio="file", target="word")
    assert column(sources.train, "word") == ["yes", "no", None]
    assert sources.inputs == ("file",)


def test_a_table_may_hold_a_number_to_predict(tmp_path):
    names = [str(write_wav(tmp_path / f"{index}.wav", tone())) for index in range(4)]
    rows = "".join(f"{name},{index + 0.5}\n" for index, name in enumerate(names))
    (tmp_path / "sounds").write_text("audio,age\n" + rows)
    sources = opened(tmp_path, target="age")
    assert sources.task is None
    assert sources.train.kinds["age"] == "numeric"


def test_sounds_come_through_whole_and_in_order(tmp_path):
    named(tmp_path / "sounds")
    sources = opened(tmp_path, pattern=PATTERN, split={"val": 0, "test": 0})
    examples = prepare(
        sources, AudioOptions(path="sounds", pattern=PATTERN, sound=SOUND), task=None
    )
    stored = np.concatenate([e.inputs["audio"].numpy() for e in examples.examples.values()])
    longest = round(8000 * 0.031)
    assert stored.shape == (48, longest)
    expected = np.rint(tone(300, seconds=0.02) * 32768)
    assert any((row[:160] == expected).all() and not row[160:].any() for row in stored)


def test_nothing_of_test_rows_reaches_what_is_fitted(tmp_path):
    options = {"pattern": PATTERN, "test_where": {"index": [0]}, "sound": {"n_mels": 8}}
    states = []
    for loudness, seconds in ((0.5, 0.02), (0.01, 0.5)):
        folder = tmp_path / f"{loudness}"
        named(folder / "sounds", count=3)
        write_wav(folder / "sounds" / "low_ann_0.wav", tone(seconds=seconds, loudness=loudness))
        given = AudioOptions(path="sounds", split={"val": 0}, **options)
        prepared = prepare(open_audio(given, folder), given, task=None)
        states.append(prepared.preprocessor.state())
    assert states[0] == states[1]


def test_every_part_is_numbered_by_the_rows_of_the_data(tmp_path):
    named(tmp_path / "sounds", count=3)
    (tmp_path / "sounds" / "high_bob_1.wav").write_bytes(b"")  # row 4
    every = [(i, label, who) for label in ("high", "low") for who in ("ann", "bob") for i in "012"]
    given = AudioOptions(
        path="sounds",
        pattern=PATTERN,
        test_where={"index": [0]},
        split={"val": 2},
        sound=SOUND,
        broken="skip",
    )
    prepared = prepare(open_audio(given, tmp_path), given, task=None)
    assert sorted(np.concatenate(list(prepared.rows.values()))) == [*range(4), *range(5, 12)]
    for part, rows in prepared.rows.items():
        assert {every[row][0] == "0" for row in rows} == {part == "test"}
        classes = prepared.preprocessor.classes
        labels = [classes[code] for code in prepared.examples[part].targets.tolist()]
        assert labels == [every[row][1] for row in rows]


def test_the_rate_is_the_most_frequent_one_of_training_rows_alone(tmp_path):
    """Law 6; every other sound is brought to that rate."""
    named(tmp_path / "sounds", count=10)
    files = sorted((tmp_path / "sounds").iterdir())
    given = AudioOptions(path="sounds", pattern=PATTERN, split={"val": 0.3, "test": 0.3})

    def prepared():
        return prepare(open_audio(given, tmp_path), given, task=None)

    first = prepared()
    assert len(first.rows["train"]) < len(files) / 2
    for part in ("val", "test"):
        for row in first.rows[part]:
            write_wav(files[row], tone(rate=16000), rate=16000)
    second = prepared()
    assert second.preprocessor.state() == first.preprocessor.state()
    expected = resampled(decoded(files[first.rows["val"][0]].read_bytes(), 10)[0], 16000, 8000)
    length = second.preprocessor.inputs["audio"].length
    assert second.examples["val"].inputs["audio"][0].tolist() == expected[:length].tolist()


def test_several_rates_are_told_aloud(tmp_path):
    named(tmp_path / "sounds", count=2, rate=8000)
    write_wav(tmp_path / "sounds" / "low_cat_0.wav", tone(rate=16000), rate=16000)
    sources = opened(tmp_path, pattern=PATTERN)
    assert {cell["rate"] for cell in column(sources.train, "audio")} == {8000, 16000}
    assert any("several sample rates" in said and "8,000" in said for said in sources.warnings)
    quiet = opened(tmp_path, pattern=PATTERN, sound={"sample_rate": 4000})
    assert {cell["rate"] for cell in column(quiet.train, "audio")} == {4000}
    assert quiet.warnings == ()


def broken(tmp_path):
    folder = named(tmp_path / "sounds", count=2)
    cut, empty = folder / "low_ann_0.wav", folder / "high_bob_1.wav"
    cut.write_bytes(cut.read_bytes()[:-50])
    empty.write_bytes(b"")
    return tmp_path


def test_broken_files_are_named_before_training(tmp_path):
    with pytest.raises(DataError, match="2 of 8 files cannot be read as sounds") as error:
        opened(broken(tmp_path), pattern=PATTERN)
    (fault,) = error.value.faults
    assert "low_ann_0.wav is cut short" in fault.note
    assert "high_bob_1.wav is empty" in fault.note
    assert "broken: skip" in fault.suggestion


def test_broken_files_can_be_left_out(tmp_path):
    sources = opened(broken(tmp_path), pattern=PATTERN, broken="skip")
    rows = zip(column(sources.train, "label"), column(sources.train, "speaker"), strict=True)
    assert sorted(rows) == sorted(
        [("low", "ann")] + [("low", "bob")] * 2 + [("high", "ann")] * 2 + [("high", "bob")]
    )
    assert any("left out" in said and "is cut short" in said for said in sources.warnings)


def test_labelled_files_can_be_measured(tmp_path):
    named(tmp_path / "sounds", count=1)
    options = AudioOptions(path="elsewhere", pattern=PATTERN)
    records = labelled_files(options, tmp_path / "sounds")
    assert records.column("label").to_pylist() == ["high", "high", "low", "low"]
    assert records.column("audio")[0].as_py().endswith("high_ann_0.wav")


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"path": "no"}, DataError, "there is no .*no"),
        ({"path": "sounds"}, DataError, "no folder of a class"),
        ({"pattern": "{label}-x.wav"}, DataError, "none of 8 sounds .* matches"),
        ({"pattern": PATTERN, "split": {"group": "who"}}, ConfigError, "no column `who`"),
        ({"pattern": PATTERN, "test_where": {"who": [1]}}, ConfigError, "no column `who`"),
        ({"pattern": PATTERN, "test_where": {"index": [9]}}, ConfigError, "`9` of no sound"),
        ({"pattern": PATTERN, "test_where": {"index": [0, 1]}}, ConfigError, "none to train on"),
        ({"path": "sounds/low_ann_0.wav", "pattern": PATTERN}, ConfigError, "is a file"),
    ],
)
def test_faults_are_named(tmp_path, options, kind, said):
    named(tmp_path / "sounds", count=2)
    with pytest.raises(kind, match=said):
        opened(tmp_path, **options)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("sound.wav", "needs names in braces"),
        ("{label}_{}.wav", "needs names in braces"),
        ("{label}_{a.wav", "needs names in braces"),
        ("{label}_{label}.wav", "twice"),
        ("{speaker}.wav", "has no `{label}`"),
        ("{label}_{audio}.wav", "the sound itself"),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern, said):
    with pytest.raises(ValidationError, match=said):
        AudioOptions(path="sounds", pattern=pattern)
