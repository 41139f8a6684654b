"""Near names: what a mistyped key or component was meant to be; knows no options class."""

from __future__ import annotations

from collections.abc import Iterable

ALIASES: dict[str, tuple[str, ...]] = {
    # keys: what other libraries and people call them, and what they are called here
    "arch": ("model",), "architecture": ("model",), "net": ("model",), "network": ("model",),
    "dataset": ("data",), "criterion": ("loss",), "objective": ("loss",), "loss_fn": ("loss",),
    "opt": ("optimizer",), "optim": ("optimizer",), "solver": ("optimizer",),
    "lr_scheduler": ("scheduler",), "sched": ("scheduler",), "lr_schedule": ("scheduler",),
    "trainer": ("train",), "training": ("train",), "fit": ("train",), "metric": ("metrics",),
    "random_seed": ("seed",), "random_state": ("seed",), "manual_seed": ("seed",),
    "problem_type": ("task",), "experiment": ("name",), "run_name": ("name",), "type": ("name",),
    "include": ("extends",), "base": ("extends",), "defaults": ("extends",),
    "learning_rate": ("lr",), "lrate": ("lr",), "eta": ("lr",), "alpha": ("lr",),
    "step_size": ("lr",), "l2": ("weight_decay", "mse"), "wd": ("weight_decay",),
    "decay": ("weight_decay",), "reg": ("weight_decay",), "l2_reg": ("weight_decay",),
    "beta": ("betas",), "beta1": ("betas",), "beta2": ("betas",), "epsilon": ("eps",),
    "bs": ("batch_size",), "batch": ("batch_size",), "batchsize": ("batch_size",),
    "mini_batch_size": ("batch_size",), "n_epochs": ("epochs",), "num_epochs": ("epochs",),
    "max_epochs": ("epochs",), "epoch": ("epochs",), "iterations": ("epochs",),
    "patience": ("early_stopping",), "early_stop": ("early_stopping",),
    "gpu": ("device",), "cuda": ("device",), "accelerator": ("device",),
    "clip": ("clip_norm",), "gradient_clip": ("clip_norm",), "grad_clip": ("clip_norm",),
    "gradient_clip_val": ("clip_norm",), "max_grad_norm": ("clip_norm",),
    "accumulate_grad_batches": ("accumulate",), "grad_accum": ("accumulate",),
    "gradient_accumulation_steps": ("accumulate",), "num_threads": ("threads",),
    "fp16": ("precision",), "amp": ("precision",), "time_limit": ("max_time",),
    "file": ("path",), "filename": ("path",), "csv": ("path", "table"), "data_path": ("path",),
    "train_path": ("path",), "source": ("path",), "valid_path": ("val_path",),
    "sep": ("separator",), "delimiter": ("separator",), "delim": ("separator",),
    "label": ("target",), "labels": ("target",), "label_column": ("target",), "y": ("target",),
    "class": ("target",), "output": ("target",), "outputs": ("target",), "targets": ("target",),
    "names": ("columns",), "features": ("columns",), "ignore": ("drop",), "exclude": ("drop",),
    "na": ("na_values",), "missing": ("na_values", "missing_values"), "dtypes": ("types",),
    "val_split": ("split", "val"), "validation": ("val",), "valid": ("val",),
    "val_size": ("val",), "test_size": ("test",), "kfold": ("folds",), "cv": ("folds",),
    "scaler": ("scaling",), "scale": ("scaling",), "normalize": ("scaling", "normalization"),
    "imputation": ("missing",), "impute": ("missing",),
    "hidden": ("hidden_sizes",), "hidden_size": ("hidden_sizes",), "units": ("hidden_sizes",),
    "hidden_units": ("hidden_sizes",), "hidden_dims": ("hidden_sizes",),
    "hidden_dim": ("hidden_sizes",), "hidden_layers": ("hidden_sizes",),
    "hidden_layer_sizes": ("hidden_sizes",), "layers": ("hidden_sizes",),
    "dropout_rate": ("dropout",), "p": ("dropout",), "act": ("activation",),
    "nonlinearity": ("activation",), "norm": ("normalization",), "batch_norm": ("normalization",),
    "skip": ("residual",), "smoothing": ("label_smoothing",), "weights": ("class_weights",),
    "weight": ("class_weights",), "class_weight": ("class_weights",), "top_k": ("k", "topk"),
    "warmup_steps": ("warmup",), "warmup_epochs": ("warmup",), "num_warmup_steps": ("warmup",),
    "eta_min": ("end_factor",), "max_lr": ("lr",), "decay_epochs": ("step_size", "milestones"),
    "no_decay_bias": ("decay_bias",), "bias_decay": ("decay_bias",),
    # names of components
    "perceptron": ("linear",), "logistic": ("linear",), "logistic_regression": ("linear",),
    "linear_regression": ("linear",), "dnn": ("mlp",), "nn": ("mlp",), "dense": ("mlp",),
    "ce": ("cross_entropy",), "xent": ("cross_entropy",), "nll": ("cross_entropy",),
    "softmax": ("cross_entropy",), "cross_entropy_loss": ("cross_entropy",),
    "crossentropy": ("cross_entropy",), "binary_cross_entropy": ("bce",),
    "bce_with_logits": ("bce",), "logloss": ("log_loss", "cross_entropy"), "l1": ("mae",),
    "mean_squared_error": ("mse",), "mean_absolute_error": ("mae",), "acc": ("accuracy",),
    "auc": ("roc_auc",), "auroc": ("roc_auc",), "f1": ("f1_macro", "f1_weighted"),
    "f1_score": ("f1_macro",), "precision": ("precision_macro",), "recall": ("recall_macro",),
    "rsquared": ("r2",), "r2_score": ("r2",), "momentum": ("sgd",), "none": ("constant",),
    "cosine_annealing": ("cosine",), "cosine_annealing_lr": ("cosine",),
    "cosine_annealing_warm_restarts": ("cosine",), "step_lr": ("step",), "poly": ("polynomial",),
    "plateau": ("reduce_on_plateau",), "pandas": ("table",), "tsv": ("table",), "excel": ("table",),
    "parquet": ("table",), "jsonl": ("table",), "tabular": ("table",), "mnist": ("digits",),
    # words for true, false and other values
    "yes": ("true",), "on": ("true",), "no": ("false",), "off": ("false",),
    "regress": ("regression",), "classify": ("classification",), "zscore": ("standard",),
    "min_max": ("minmax",), "gpu0": ("cuda",), "batchnorm": ("batch",), "layernorm": ("layer",),
}  # fmt: skip


def nearest(word: str, accepted: Iterable[str]) -> str | None:
    """Return the accepted name that a word most likely means, or None if none is near.

    First the word itself in other letters or without an ending such as `Loss`, then the aliases,
    then edit distance: at most a third of the longer name.
    """
    names = {normal(name): name for name in accepted}
    plain = normal(word[:60])
    for candidate in (plain, plain.removesuffix("loss").rstrip("_"), *ALIASES.get(plain, ())):
        if candidate in names:
            return names[candidate]
    scored = [(distance(plain, name), name) for name in names]
    near = [(count, name) for count, name in scored if 3 * count <= max(len(plain), len(name))]
    return names[min(near)[1]] if near else None


def nearest_file(name: str, accepted: Iterable[str]) -> str | None:
    """Return the config or Python file that a file name most likely means, or None.

    What stands before `.yaml` or `.py` counts, or else all names would be alike in half of their
    letters.
    """
    stem = _stem(name)
    scored = [(distance(stem, _stem(other)), other) for other in accepted]
    near = [(count, other) for count, other in scored if 3 * count <= len(stem)]
    return min(near)[1] if near else None


def _stem(name: str) -> str:
    return name[:60].lower().removesuffix(".yaml").removesuffix(".yml").removesuffix(".py")


def normal(word: str) -> str:
    """Return a word as option names are written: `BatchSize` and `batch-size` as `batch_size`."""
    parts = []
    for before, letter in zip(" " + word, word, strict=False):
        is_start = letter.isupper() and before.islower()
        parts.append("_" + letter if is_start else letter)
    return "".join(parts).lower().replace("-", "_").replace(" ", "_")


def distance(a: str, b: str) -> int:
    """Return how many letters to insert, drop, change or swap with a neighbour turn a into b."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and right == a[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
