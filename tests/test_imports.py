"""Imports run one way, and start-up stays light."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY, imported

PACKAGE = REPOSITORY / "dlcli"
LAYERS = [
    {"errors"},
    {"messages", "files", "interrupts", "extras", "launch", "memory"},
    {"config"},
    {"training", "run"},
    {"ranks"},
    {"data"},
    {"rounding"},
    {"models", "losses", "optimizers", "schedulers", "metrics"},
    {"own"},
    {"tasks", "checkpoint", "selftest"},
    {"build"},
    {"hardware"},
    {"progress", "description"},
    {"trained", "forecasting"},
    {"saving", "finetune"},
    {"session", "report", "checks"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
"""From the bottom to the top; a module imports its own layer's folder and lower layers."""

RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
WHERE_FUNCTIONS_IMPORT = {"cli.py", "build.py", "prepare.py", "__main__.py", "__init__.py"}
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_below_it(file):
    part = part_of(file)
    if part == "__init__":
        return
    tree = ast.parse(file.read_text())
    used = {name.split(".")[1] for name in imports(tree) if name.startswith("dlcli.")}
    upward = {name for name in used & RANK.keys() if name != part and RANK[name] > RANK[part]}
    assert not upward, f"{part} imports {upward}"


def test_every_part_has_a_layer():
    assert {part_of(file) for file in FILES} - {"__init__"} == set(RANK)


@pytest.mark.parametrize("part", ["training"])
def test_the_engine_names_no_component_and_no_file(part):
    for file in (PACKAGE / part).glob("*.py"):
        used = {name for name in imports(ast.parse(file.read_text())) if name.startswith("dlcli.")}
        outside = {n for n in used if not n.startswith(("dlcli.training", "dlcli.errors"))}
        assert not outside, f"{file.name} imports {outside}"


@pytest.mark.parametrize(
    "file", sorted((PACKAGE / "models").glob("*.py")), ids=lambda file: file.name
)
def test_models_know_no_augmentation(file):
    used = imports(ast.parse(file.read_text()))
    assert not {name for name in used if name.startswith("dlcli.data.augment")}


HEAVY = {"torch", "numpy", "pyarrow", "pydantic", "yaml", "rich", "tqdm", "matplotlib", "sklearn"}


def test_the_command_line_and_errors_import_nothing_heavy():
    assert not imported("import dlcli.cli, dlcli.errors, dlcli.messages") & HEAVY


@pytest.mark.parametrize("module", ["config.read", "commands.config", "commands.list", "run"])
def test_reading_configs_and_runs_needs_no_torch(module):
    assert not imported(f"import dlcli.{module}") & {"torch", "numpy", "pyarrow"}


def test_training_imports_neither_torch_dynamo_nor_packages_it_does_not_need():
    code = (
        "import sys; from pathlib import Path; from tempfile import mkdtemp\n"
        "from dlcli.config.read import read_config\n"
        "from dlcli.commands.train import train_config\n"
        f"read = read_config(Path({str(REPOSITORY / 'configs' / 'line.yaml')!r}), "
        "['train.epochs=1'])\n"
        "train_config(read, runs_dir=Path(mkdtemp()), is_quiet=True)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    assert not imported(code) & {"torchvision", "sklearn", "matplotlib", "rich"}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['dlcli', '--help']\n"
        "from dlcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert not imported(code) & HEAVY
