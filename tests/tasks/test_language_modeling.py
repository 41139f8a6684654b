"""A language model's loss, scores and baseline: exact over tokens, padding nothing."""

from __future__ import annotations

from importlib import import_module
from math import exp, log
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dlcli.build import build_trainer
from dlcli.config.config import Config
from dlcli.config.loss import CrossEntropyOptions
from dlcli.data.prepare import Prepared, prepare
from dlcli.data.sources.text_file import TEXT, open_text_file
from dlcli.data.spec import PADDING, UNKNOWN
from dlcli.errors import ConfigError
from dlcli.losses import cross_entropy
from dlcli.tasks.language_modeling import LanguageModeling
from dlcli.tasks.task import losses_of
from dlcli.training.state import State
from tests.learners import learner_of

LINES = "the quick brown fox jumps over the lazy dog, and what does the fox say?\n" * 12


def config(model: str = "lstm", **train: int) -> Config:
    return Config.model_validate(
        {
            "data": {"name": "text_file", "path": "a.txt", "context": 8, "batch_size": 12},
            "model": {"name": model, "hidden_size": 8}
            if model != "transformer"
            else {"name": model, "d_model": 8, "nhead": 2, "num_layers": 1, "dropout": 0},
            "train": train,
        }
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    (tmp_path / "a.txt").write_text(LINES)
    options = config().data
    return prepare(open_text_file(options, tmp_path), options, task=None)


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru", "transformer"])
def test_the_val_loss_is_the_mean_over_every_token_but_the_first(
    model: str, prepared: Prepared
) -> None:
    learner = learner_of(prepared, config(model))
    scores = learner.evaluation.scores(learner.network, prepared.examples["val"])
    rows = prepared.rows["val"]
    codes = prepared.preprocessor.inputs[TEXT].codes(LINES)[rows.start : rows.stop]
    codes = torch.from_numpy(codes).long()
    losses = []
    for place in range(1, len(codes)):  # each from its window, as far as that has come by then
        window = max(0, -(-(place - 8) // 6))
        seen = codes[6 * window : place].unsqueeze(0)
        with torch.no_grad():
            logits = learner.network.eval()({TEXT: seen})[0, -1]
        losses.append(F.cross_entropy(logits, codes[place]).item())
        assert len(seen[0]) >= min(place, 3)
    nats = sum(losses) / len(losses)
    assert scores["loss"] == pytest.approx(nats, rel=1e-5)
    assert scores["perplexity"] == pytest.approx(exp(nats), rel=1e-5)


def test_a_model_that_knows_nothing_needs_the_logarithm_of_its_tokens(prepared: Prepared) -> None:
    learner = learner_of(prepared, config())
    for parameter in learner.network.parameters():
        parameter.data.zero_()
    size = prepared.preprocessor.spec.targets[0].size
    for part in ("train", "val"):
        scores = learner.evaluation.scores(learner.network, prepared.examples[part])
        assert scores["loss"] == pytest.approx(log(size), rel=1e-5)
        assert scores["perplexity"] == pytest.approx(size, rel=1e-5)


def test_law_3_accumulated_parts_are_one_batch(prepared: Prepared) -> None:
    weights = []
    for parts in (1, 4):
        learner = learner_of(prepared, config(epochs=2))
        learner.network.double()
        train = prepared.examples["train"]
        state = State(parts=parts)
        trainer = build_trainer(config(epochs=2), learner, train, state=state)
        for _step in trainer.steps(train, None, epochs=2):
            pass
        weights.append(learner.network.state_dict())
    for name, expected in weights[0].items():
        torch.testing.assert_close(weights[1][name], expected, rtol=1e-10, atol=1e-12)


@given(data=st.data(), cut=st.integers(1, 5))
def test_padded_targets_count_for_nothing_however_a_batch_is_cut(data, cut) -> None:
    lengths = data.draw(st.lists(st.integers(1, 7), min_size=6, max_size=6))
    loss = cross_entropy(CrossEntropyOptions(), shape=(5,), classes=())
    loss = type(loss)(loss.outputs, loss.function, loss.link, padding=PADDING)
    generator = torch.Generator().manual_seed(sum(lengths))
    outputs = torch.randn(6, 7, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(1, 5, (6, 7), generator=generator, dtype=torch.uint8)
    targets[torch.arange(7) >= torch.tensor(lengths)[:, None]] = PADDING
    kept = targets != PADDING
    expected = F.cross_entropy(outputs[kept], targets[kept].long())
    assert loss(outputs, targets) == pytest.approx(expected)
    parts = [slice(0, cut), slice(cut, 6)]
    total = sum(loss(outputs[p], targets[p]) * loss.weight(targets[p]) for p in parts)
    assert total / loss.weight(targets) == pytest.approx(expected)


def test_the_baseline_is_as_right_as_the_most_frequent_token_is_frequent(
    prepared: Prepared,
) -> None:
    learner = learner_of(prepared, config())
    train, val = prepared.examples["train"], prepared.examples["val"]
    ((name, baseline),) = learner.task.baselines(train).items()
    scores = learner.evaluation.baseline_scores(baseline, val)
    told = val.targets[val.targets != PADDING].long()
    most = train.targets.long().mode().values
    counts = train.targets.long().bincount(minlength=learner.task.size).double() + 1
    nats = -(counts / counts.sum()).log()[told].mean().item()
    assert name == "token frequencies"
    assert scores["token_accuracy"] == pytest.approx((told == most).double().mean().item())
    assert scores["perplexity"] == pytest.approx(exp(nats))


def test_the_likeliest_next_token_is_one_that_has_a_name(prepared: Prepared) -> None:
    preprocessor = prepared.preprocessor
    task = LanguageModeling.of(preprocessor.targets, preprocessor.window)
    answers = torch.zeros(2, 3, task.size)
    answers[:, :, [PADDING, UNKNOWN]] = 0.9
    answers[0, -1, 5] = 0.1
    answers[1, -1, 7] = 0.1
    vocabulary = preprocessor.inputs[TEXT].vocabulary
    assert task.predictions(answers) == [vocabulary[3], vocabulary[5]]
    assert task.decode(answers) == [task.predictions(answers)]


def test_class_weights_are_refused(prepared: Prepared) -> None:
    for weights in ("balanced", {"a": 2.0}):
        chosen = config().model_copy(update={"loss": CrossEntropyOptions(class_weights=weights)})
        with pytest.raises(ConfigError, match="tokens of running text are none") as caught:
            learner_of(prepared, chosen)
        assert caught.value.faults[0].path == ("loss", "class_weights")


def test_its_metrics_are_its_own(prepared: Prepared) -> None:
    task = learner_of(prepared, config()).task
    assert losses_of(task.name) == ("cross_entropy",)
    for name in (*task.metrics, "bits_per_token"):
        assert hasattr(import_module("dlcli.metrics.language"), name)
