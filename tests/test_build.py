"""From options to objects: the same config builds the same thing, and its faults are told."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from dlcli.build import (
    Learner,
    build_monitor,
    build_trainer,
    component,
    count_parameters,
    open_sources,
    scales_targets,
)
from dlcli.config.config import Config
from dlcli.config.read import config_from
from dlcli.data.examples import ResidentExamples
from dlcli.data.prepare import prepare
from dlcli.errors import ConfigError, MachineError
from dlcli.hardware import choose_device, choose_threads
from dlcli.training.state import State
from tests.learners import learner_of as learner_over


def learner_of(config: Config) -> Learner:
    """Prepare the data of a config and build its learner."""
    prepared = prepare(
        open_sources(config, Path()),
        config.data,
        task=config.task,
        scale_targets=scales_targets(config),
    )
    return learner_over(prepared, config)


def config_of(data: object = "iris", **sections: object) -> Config:
    model = {"name": "mlp", "hidden_sizes": [8]}
    return config_from({"name": "test", "data": data, "model": model, **sections})


def test_a_seed_draws_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(99)
    first = learner_of(config_of(seed=3)).network.state_dict()
    torch.rand(17)
    again = learner_of(config_of(seed=3)).network.state_dict()
    other = learner_of(config_of(seed=4)).network.state_dict()
    assert all(first[name].equal(again[name]) for name in first)
    assert any(not first[name].equal(other[name]) for name in first)


@pytest.mark.parametrize(
    ("data", "task", "loss", "metrics", "parameters"),
    [
        ("iris", "classification", "cross_entropy", ["accuracy", "f1_macro"], 4 * 8 + 8 + 27),
        ("digits", "classification", "cross_entropy", ["accuracy", "f1_macro"], 64 * 8 + 8 + 90),
        ("diabetes", "regression", "mse", ["rmse", "mae", "r2"], 10 * 8 + 8 + 9),
    ],
)
def test_sizes_task_loss_and_metrics_follow_from_the_data(
    data: str, task: str, loss: str, metrics: list[str], parameters: int
) -> None:
    learner = learner_of(config_of(data))
    assert learner.task.name == task
    assert learner.loss_options.name == loss
    assert list(learner.evaluation.metrics()) == metrics
    assert count_parameters(learner.network) == parameters


def test_the_monitor_knows_which_way_is_better() -> None:
    learner = learner_of(config_of())
    monitors = [
        build_monitor(config_of(train={"monitor": f"val_{name}"}, metrics=["accuracy"]), learner)
        for name in ("accuracy", "loss")
    ]
    assert [monitor.higher_is_better for monitor in monitors] == [True, False]


def test_every_step_of_the_schedule_is_counted() -> None:
    """120 rows in batches of 50 are 3 steps, so 4 epochs are 12: then the cosine is at its end."""
    data = {"name": "iris", "batch_size": 50}
    config = config_of(data, scheduler="cosine", train={"epochs": 4})
    rows = ResidentExamples({"numbers": torch.zeros(120, 4)}, torch.zeros(120, dtype=torch.int64))
    trainer = build_trainer(config, learner_of(config), rows, state=State())
    rates = [trainer.schedule(step, []) for step in range(12)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.9
    assert rates[6] == pytest.approx(0.5, abs=0.1)
    assert rates[-1] < 0.1


def test_convolutions_lie_as_pictures_do_and_learn_what_they_would_otherwise() -> None:
    model = {"name": "cnn", "channels": [4, 8], "dropout": 0.0}
    config = config_from({"name": "t", "data": "digits", "model": model, "train": {"epochs": 1}})
    learner = learner_of(config)
    (weight,) = (p for p in learner.network.parameters() if p.shape[:2] == (8, 4))
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()

    plain = deepcopy(learner.network).to(memory_format=torch.contiguous_format)
    adamw = torch.optim.AdamW(plain.parameters(), config.optimizer.lr, fused=False)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 17, (96, 1, 8, 8), dtype=torch.uint8, generator=generator)
    rows = ResidentExamples({"image": pixels}, torch.arange(96) % 10)
    trainer = build_trainer(config, learner, rows, state=State())
    order = rows.order(config.seed, 0)
    for number, _ in enumerate(trainer.steps(rows, None, epochs=1)):
        batch = rows.take(order[32 * number : 32 * (number + 1)])
        adamw.zero_grad()
        torch.autograd.backward(learner.loss(plain(batch.inputs), batch.targets))
        adamw.step()
    for ours, theirs in zip(learner.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_component_is_imported_only_by_its_options() -> None:
    config = config_of()
    assert component(config.optimizer).__module__.startswith("dlcli.optimizers")
    assert component(config.model).__module__ == "dlcli.models.mlp"


def test_devices_are_chosen_or_refused() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in {"cpu", "cuda"}
    with pytest.raises(ConfigError, match="`nonsense` is no device"):
        choose_device("nonsense")
    with pytest.raises(MachineError, match="no device `cuda:99`"):
        choose_device("cuda:99")


def test_small_models_take_one_thread_unless_told() -> None:
    learner = learner_of(config_of())
    assert choose_threads(config_of(), learner) == 1
    assert choose_threads(config_of(train={"threads": 3}), learner) == 3


def test_pictures_are_evaluated_in_smaller_batches_where_layers_see_them_as_such() -> None:
    as_vector = learner_of(config_of("digits"))
    cnn = config_from({"name": "t", "data": "digits", "model": "cnn"})
    assert learner_of(cnn).evaluation.batch_size < as_vector.evaluation.batch_size
