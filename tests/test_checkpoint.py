"""A checkpoint gives back exactly what it was given, or is refused."""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from dlcli import checkpoint
from dlcli.checkpoint import Loaded
from dlcli.checkpoint.layout import Refused, header, start_digest
from dlcli.checkpoint.store import migrate
from dlcli.errors import CheckpointError, MachineError
from dlcli.files import canonical_json
from tests.permissions import locked_out

DATA = {"task": "classification", "classes": ["größer", 'a "b" \\', "猫"], "state": {"loss": 0.1}}

DTYPES = sorted(
    {
        value
        for name, value in vars(torch).items()
        if isinstance(value, torch.dtype) and not name.startswith(("q", "bits", "bcomplex"))
    },
    key=str,
)

FORMAT_1 = (
    b'\x08\x01\0\0\0\0\0\0{"__metadata__":{"dlcli":"{\\"data\\":{\\"state\\":{\\"step\\":3},'
    b'\\"task\\":\\"regression\\"},\\"dtypes\\":{},\\"format\\":1,\\"sha256\\":\\"'
    b'1337bb149be0ab3021615dbe0d8f3ed794b3b091f87823a0ed1fcac5ec5042c0\\"}"},'
    b'"model/weight":{"data_offsets":[0,8],"dtype":"F32","shape":[1,2]}}   '
    b"\0\0\x80?\0\0\0\xc0"
)
"""A whole file of format 1, as the first release wrote it."""


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "model/0.weight": torch.randn(3, 4, generator=generator),
        "model/0.steps": torch.tensor(7),
        "generator/cpu": torch.arange(9, dtype=torch.uint8),
        "empty": torch.empty(0, 3),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    checkpoint.save(path, tensors=tensors(), data=DATA)
    return path


def bits(tensor: Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor)


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert caught.value.code == 6
    assert caught.value.faults[0].suggestion
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_was_saved_is_loaded(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.data == DATA
    assert_equal(loaded.tensors, tensors())


def test_safetensors_reads_it_too(saved: Path) -> None:
    assert_equal(load_file(saved), tensors())
    with safe_open(saved, "pt") as file:
        assert list(file.metadata()) == ["dlcli"]


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back_bit_by_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    content = torch.arange(6 * dtype.itemsize, dtype=torch.uint8)
    tensor = (content % 2 if dtype == torch.bool else content).view(dtype).reshape(2, 3)
    given = {"a": tensor, "scalar": tensor[0, 1], "empty": tensor[:0]}
    checkpoint.save(tmp_path / "a", tensors=given, data={})
    assert_equal(checkpoint.load(tmp_path / "a").tensors, given)


@st.composite
def any_tensor(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from([torch.bool, torch.bfloat16, torch.int64, torch.complex128]))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    count = int(np.prod(shape)) * dtype.itemsize
    content = draw(st.binary(min_size=count, max_size=count))
    flat = torch.tensor(list(content), dtype=torch.uint8)
    return (flat % 2 if dtype == torch.bool else flat).view(dtype).reshape(shape)


@settings(deadline=None)
@given(given=st.dictionaries(st.text(max_size=8), any_tensor(), max_size=4))
def test_any_names_and_shapes_come_back(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, Tensor]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    checkpoint.save(path, tensors=given, data={"names": list(given)})
    loaded = checkpoint.load(path)
    assert loaded.data == {"names": list(given)}
    assert_equal(loaded.tensors, given)


def test_views_and_shared_tensors_and_parameters_come_back(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    given = {
        "whole": whole,
        "same": whole,
        "transposed": whole.T,
        "strided": whole[:, ::2],
        "expanded": torch.tensor(1.0).expand(3, 3),
        "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "conjugated": torch.tensor([1 + 2j]).conj(),
    }
    parameter = torch.nn.Parameter(whole)
    checkpoint.save(tmp_path / "a", tensors={**given, "parameter": parameter}, data={})
    expected = {name: tensor.resolve_conj() for name, tensor in given.items()}
    assert_equal(
        checkpoint.load(tmp_path / "a").tensors, {**expected, "parameter": parameter.detach()}
    )


@pytest.mark.parametrize("tensor", [torch.eye(2).to_sparse(), torch.empty(2, device="meta")])
def test_a_tensor_without_plain_bytes_is_not_saved(tmp_path: Path, tensor: Tensor) -> None:
    with pytest.raises((ValueError, NotImplementedError)):
        checkpoint.save(tmp_path / "a", tensors={"a": tensor}, data={})
    assert not list(tmp_path.iterdir())


def test_loaded_tensors_share_no_memory(saved: Path) -> None:
    loaded = checkpoint.load(saved)
    loaded.tensors["model/0.weight"].zero_()
    assert_equal(
        {"generator/cpu": loaded.tensors["generator/cpu"]},
        {"generator/cpu": tensors()["generator/cpu"]},
    )


def test_equal_contents_give_equal_bytes(saved: Path, tmp_path: Path) -> None:
    backwards = dict(reversed(tensors().items()))
    checkpoint.save(tmp_path / "b", tensors=backwards, data=dict(reversed(DATA.items())))
    assert (tmp_path / "b").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("seed", range(200))
def test_one_flipped_bit_anywhere_is_refused(saved: Path, seed: int) -> None:
    content = bytearray(saved.read_bytes())
    position = random.Random(seed).randrange(8 * len(content))
    content[position // 8] ^= 1 << position % 8
    saved.write_bytes(content)
    refusal(saved)


def test_every_flipped_bit_of_the_header_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for position in range(8 * (8 + int.from_bytes(content[:8], "little"))):
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        saved.write_bytes(changed)
        refusal(saved)


def test_every_other_byte_in_the_digest_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    with safe_open(saved, "pt") as file:
        digest = json.loads(file.metadata()["dlcli"])["sha256"].encode()
    start = content.index(digest)
    for place in range(start, start + len(digest)):
        for other in set(b"0123456789abcdefABCDEF ") - {content[place]}:
            saved.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
            assert "is damaged" in refusal(saved)


def test_every_length_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for length in range(1, len(content)):
        saved.write_bytes(content[:length])
        assert "is cut short" in refusal(saved)
    saved.write_bytes(content + b"\0")
    assert "is damaged: it has" in refusal(saved)


def test_swapped_tensors_are_refused(tmp_path: Path) -> None:
    """Each tensor's bytes are whole; only the names are exchanged."""
    path = tmp_path / "a"
    checkpoint.save(path, tensors={"aa": torch.zeros(2), "bb": torch.ones(2)}, data={})
    content = path.read_bytes()
    path.write_bytes(content[:-16] + content[-8:] + content[-16:-8])
    assert "its checksum differs" in refusal(path)


class Canary:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["CANARY"],)


@pytest.mark.parametrize("how", ["torch.save", "torch.save, old", *range(2, 6)])
def test_a_pickle_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str | int
) -> None:
    canary, path = tmp_path / "canary", tmp_path / "best.safetensors"
    monkeypatch.setenv("CANARY", str(canary))
    if isinstance(how, int):
        path.write_bytes(pickle.dumps(Canary(), protocol=how))
    else:
        torch.save(Canary(), path, _use_new_zipfile_serialization=how == "torch.save")
    assert "is a pickle, which could run code: it was not opened" in refusal(path)
    assert not canary.exists()


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "a")
    assert "a safetensors file, but not a dlcli checkpoint" in refusal(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"{}", "is cut short or damaged: it has only 2 bytes"),
        (b"age,income\n39,<=50K\n", "is not a dlcli checkpoint"),
        (pickle.dumps([1, 2, 3], protocol=0) * 3, "is not a dlcli checkpoint"),
        (bytes(100), "is not a dlcli checkpoint"),
        (b"\x02\0\0\0\0\0\0\0{}", "not a dlcli checkpoint"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert message in refusal(tmp_path / "a")


def framed(header: object) -> bytes:
    """Return the beginning of a file with this header, in the one spelling."""
    text = canonical_json(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["F32", "dtype", "shape", "data_offsets", "dlcli", "__metadata__"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["a", "dtype", "shape", "data_offsets", "dlcli", "__metadata__"]),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_any_header_of_json_is_refused(
    tmp_path_factory: pytest.TempPathFactory, header: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "header"
    path.write_bytes(framed({"a": header, "__metadata__": {"dlcli": canonical_json(header)}}))
    refusal(path)


@pytest.mark.parametrize(
    "text",
    [b"{" * 5000, b'{"a":' + b"9" * 5000 + b"}", b'{"a":' * 5000 + b"1" + b"}" * 5000, b"{\xff}"],
)
def test_a_header_that_breaks_parsers_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text)
    assert "its header cannot be read" in refusal(tmp_path / "a")


@pytest.mark.parametrize(
    "shape", [[-1], [True], [2.0], ["2"], "2", 2, [0, 2**63], [1] * 65, [2**62, 0, 4]]
)
def test_an_impossible_shape_is_refused_before_memory_is_taken(
    tmp_path: Path, shape: object
) -> None:
    document = {"format": 1, "data": {}, "dtypes": {}, "sha256": "0" * 64}
    size = 4 if shape in ([True], [1] * 65) else 0
    header = {
        "__metadata__": {"dlcli": canonical_json(document)},
        "a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]},
    }
    (tmp_path / "a").write_bytes(framed(header))
    assert "its header cannot be read" in refusal(tmp_path / "a")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "a")
    (tmp_path / "b").touch()
    assert "does not exist" in refusal(tmp_path / "b" / "a")


def test_a_folder_and_a_pipe_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refusal(tmp_path)
    assert "is not a file" in refusal(tmp_path / "pipe")


def test_a_file_without_permission_is_the_machines_fault(saved: Path) -> None:
    with locked_out(saved.parent), pytest.raises(MachineError, match=r"`.*`: permission denied"):
        checkpoint.load(saved)


def written(number: int) -> bytes:
    """Return a whole checkpoint file of another format number, without tensors."""
    document = {"format": number, "data": {}, "dtypes": {}}
    return header({**document, "sha256": start_digest(document, []).hexdigest()}, [])


def test_a_newer_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(checkpoint.FORMAT + 1))
    message = f"was written by a newer dlcli: format {checkpoint.FORMAT + 1}, this one reads up to"
    assert message in refusal(tmp_path / "a")


def test_a_format_that_no_migration_reads_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(0))
    assert "has format 0, which is no longer read" in refusal(tmp_path / "a")


def test_format_1_is_read_and_still_written_so(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(FORMAT_1)
    loaded = checkpoint.load(tmp_path / "old")
    assert loaded.data == {"task": "regression", "state": {"step": 3}}
    assert_equal(loaded.tensors, {"model/weight": torch.tensor([[1.0, -2.0]])})
    checkpoint.save(tmp_path / "new", tensors=loaded.tensors, data=loaded.data)
    assert (tmp_path / "new").read_bytes() == FORMAT_1


def test_migrations_follow_one_another() -> None:
    def rename(loaded: Loaded) -> Loaded:
        return Loaded({f"model/{name}": one for name, one in loaded.tensors.items()}, loaded.data)

    def add(loaded: Loaded) -> Loaded:
        return Loaded(loaded.tensors, {**loaded.data, "names": sorted(loaded.tensors)})

    old = Loaded({"weight": torch.ones(1)}, {"task": "regression"})
    new = migrate(old, 1, newest=3, migrations={1: rename, 2: add})
    assert new.data == {"task": "regression", "names": ["model/weight"]}
    assert old.data == {"task": "regression"}
    with pytest.raises(Refused, match="format 1, which is no longer read"):
        migrate(old, 1, newest=3, migrations={2: add})


def test_saving_and_loading_take_one_copy_of_the_tensors(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
import torch
from dlcli import checkpoint
path = Path(sys.argv[1])
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
weights = {"a": torch.ones(50 * 2**18), "b": torch.ones(50 * 2**18)}
checkpoint.save(path, tensors={}, data={})
checkpoint.load(path)
start = peak_mb()
checkpoint.save(path, tensors=weights, data={})
saved = peak_mb()
checkpoint.load(path)
print(saved - start, peak_mb() - saved)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a"], capture_output=True, text=True, check=True
    )
    saving_mb, loading_mb = map(float, done.stdout.split())
    assert saving_mb < 5
    assert loading_mb < 105


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tensors_on_a_device_are_saved_as_those_on_the_cpu(saved: Path, tmp_path: Path) -> None:
    there = {name: tensor.cuda() for name, tensor in tensors().items()}
    checkpoint.save(tmp_path / "b", tensors=there, data=DATA)
    assert (tmp_path / "b").read_bytes() == saved.read_bytes()
