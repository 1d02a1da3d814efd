"""Break the source on purpose, one mistake at a time, and see that a test notices: `python tests/mutations.py`.

Every mutation replaces one piece of a source file in a copy of the repository and runs the tests named beside it. One
that no test notices is a survivor; the last lines count and name them, and the exit status is 1 if there is any. It is
not part of CI's default path: all of it takes some minutes on two cores.

    python tests/mutations.py                 # all of them
    python tests/mutations.py create_graph    # those whose name holds the word
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutation(NamedTuple):
    """A mistake: in `file` (below src/omnishot), `old`, which stands there once, becomes `new`; `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


INNER = "learners/inner/"
GRADIENTS = "tests/learners/test_meta_gradient.py"

MUTATIONS = [
    # -- the inner and the outer loop
    Mutation(
        "the inner step goes uphill",
        INNER + "descent.py",
        "return weight - rate * grad\n",
        "return weight + rate * grad\n",
        GRADIENTS,
    ),
    Mutation(
        "no create_graph in the inner loop",
        INNER + "descent.py",
        "create_graph=differentiable",
        "create_graph=False",
        GRADIENTS,
    ),
    Mutation(
        "prototypes without a gradient",
        "nn/heads.py",
        "class_means(features(), target_of(support), ways_of(support))",
        "class_means(features(), target_of(support), ways_of(support)).detach()",
        GRADIENTS,
    ),
    Mutation(
        "vmap sums tasks instead of averaging",
        "training/engine/backward.py",
        "(losses.mean() * ",
        "(losses.sum() * ",
        "tests/training/engine/test_backward.py",
    ),
    Mutation(
        "a chunk counts as a whole meta-batch",
        "training/engine/backward.py",
        "part.tasks / batch.tasks",
        "1.0",
        "tests/training/engine/test_backward.py",
    ),
    Mutation(
        "the loss is that of the support rows",
        "learners/base.py",
        "self.predict(params, state, episode.query), episode.query)",
        "self.predict(params, state, episode.support), episode.support)",
        GRADIENTS,
    ),
    # -- training
    Mutation(
        "weight decay is ignored",
        "training/trainer.py",
        "weight_decay=config.weight_decay",
        "weight_decay=0.0",
        "tests/training/test_optimizer.py",
    ),
    Mutation(
        "gradient clipping is off",
        "training/trainer.py",
        "clip_grad_norm_(learner.parameters(), config.clip)",
        "clip_grad_norm_(learner.parameters(), float('inf'))",
        "tests/training/test_optimizer.py",
    ),
    Mutation(
        "gradients add up from step to step",
        "training/trainer.py",
        "        self.optimizer.zero_grad(set_to_none=False)\n",
        "",
        "tests/training tests/runs/test_run.py",
    ),
    Mutation(
        "the schedule is ignored",
        "training/trainer.py",
        "(step + 1) / (config.warmup + 1)) * left",
        "(step + 1) / (config.warmup + 1))",
        "tests/training/test_trainer.py",
    ),
    Mutation(
        "steps that are not finite are taken",
        "training/trainer.py",
        "if losses.isfinite().all() & norm.isfinite():",
        "if True:",
        "tests/training/test_trainer.py",
    ),
    Mutation(
        "a step reseeds the user's generator",
        "training/trainer.py",
        "with seeds.torch_generators(self.device, seed), precision",
        "torch.manual_seed(seed)\n        with precision",
        "tests/training",
    ),
    Mutation(
        "learners stay in training mode",
        "training/trainer.py",
        "        learner.eval()\n",
        "",
        "tests/training/test_trainer.py",
    ),
    Mutation(
        "patience is ignored",
        "training/trainer.py",
        "if config.patience and state.stale >= config.patience:",
        "if False:",
        "tests/training tests/runs/test_run.py",
    ),
    Mutation(
        "resuming repeats a step",
        "training/trainer.py",
        "train.stream(state.step, config.steps",
        "train.stream(max(0, state.step - 1), config.steps",
        "tests/runs/test_run.py",
    ),
    Mutation(
        "the optimiser's averages are not restored",
        "runs/checkpoint.py",
        "    optimizer.load_state_dict(state)\n",
        "",
        "tests/runs/test_run.py",
    ),
    Mutation(
        "selection keeps the worst",
        "training/selection.py",
        "mean > state.best if objective.higher_is_better else mean < state.best",
        "mean < state.best if objective.higher_is_better else mean > state.best",
        "tests/training/test_selection.py",
    ),
    Mutation(
        "the last parameters are the best",
        "training/selection.py",
        "        fill(self.learner, tensors, facts, self.path)\n",
        "",
        "tests/training tests/runs/test_run.py",
    ),
    Mutation(
        "validation has the training's seed",
        "core/seeds.py",
        "return seed + _VALIDATION",
        "return seed",
        "tests/training/test_selection.py",
    ),
    Mutation(
        "training noise has one level",
        "training/task_loaders.py",
        "noise_varies=True",
        "noise_varies=False",
        "tests/training/test_task_loaders.py",
    ),
    Mutation(
        "the temperature is not kept",
        "training/selection.py",
        'facts | {"tuned": tuned, "objective"',
        'facts | {"tuned": tuned, "other"',
        "tests/integration/test_temperature.py",
    ),
    Mutation(
        "distil's teacher gets a gradient",
        "nn/auxiliary/distil.py",
        "batch.tokens_present).detach()",
        "batch.tokens_present)",
        "tests/nn/auxiliary",
    ),
    # -- missing cells and statistics of the query rows
    Mutation(
        "presence is ignored before the encoder",
        "nn/network/fused.py",
        "self._encode(i, mask(cells, present), present)",
        "self._encode(i, cells, present)",
        "tests/learners/test_absent.py",
    ),
    Mutation(
        "presence is ignored after the encoder",
        "nn/network/fused.py",
        "return mask(self.projections[self.reader[i]](x), here), here",
        "return self.projections[self.reader[i]](x), here",
        "tests/nn tests/learners/test_absent.py",
    ),
    Mutation(
        "a mean over tokens counts absent ones",
        "nn/layers.py",
        "keep.sum(-1, keepdim=True).clamp(min=1)",
        "keep.shape[-1]",
        "tests/nn",
    ),
    Mutation(
        "modality dropout empties rows",
        "episodes/missing.py",
        "return np.where(kept.any(-1, keepdims=True), kept, present & best)",
        "return kept",
        "tests/episodes/test_missing.py",
    ),
    # -- tasks and splits
    Mutation(
        "a class's last row is never drawn",
        "episodes/tasks.py",
        "counts = self.starts[positions + 1] - starts",
        "counts = self.starts[positions + 1] - starts - 1",
        "tests/episodes/test_tasks.py",
    ),
    Mutation(
        "a support row is a query row too",
        "episodes/tasks.py",
        "rows[:, :, :shots], rows[:, :, shots:]",
        "rows[:, :, :shots], rows[:, :, shots - 1 : -1]",
        "tests/episodes/test_tasks.py",
    ),
    Mutation(
        "splits share classes",
        "table/splits.py",
        "    if len(shared):\n",
        "    if False:\n",
        "tests/table/test_splits.py",
    ),
    Mutation(
        "evaluation takes classes that were trained on",
        "runs/run.py",
        "        if shared:\n            who =",
        "        if False:\n            who =",
        "tests/runs/test_run.py",
    ),
    # -- figures
    Mutation(
        "the interval is that of one episode",
        "evaluation/figure.py",
        "Z95 * spread / math.sqrt(len(values))",
        "Z95 * spread",
        "tests/evaluation",
    ),
    Mutation(
        "the interval takes the population's deviation",
        "evaluation/figure.py",
        "values.std(ddof=1)",
        "values.std(ddof=0)",
        "tests/evaluation",
    ),
    Mutation(
        "lower errors count as worse",
        "metrics/metric.py",
        '"rmse": _error("Root mean squared error")',
        '"rmse": _score("Root mean squared error")',
        "tests/metrics",
    ),
    Mutation(
        "numbers keep their standardised unit",
        "objectives/regress.py",
        "* self.std + self.mean",
        "+ self.mean",
        "tests/objectives",
    ),
    Mutation(
        "the task's scaler forgets its centre",
        "objectives/regress.py",
        '* scaler["spread"] + scaler["centre"]',
        '* scaler["spread"]',
        "tests/objectives/test_standardise.py",
    ),
    Mutation(
        "calibration bins lose certain rows",
        "objectives/calibration.py",
        "np.minimum((confidence * bins).astype(int), bins - 1)",
        "(confidence * (bins - 1)).astype(int)",
        "tests/objectives",
    ),
    # -- ranks and disk
    Mutation(
        "ranks' gradients are not weighted",
        "core/distributed.py",
        "else weight * p.grad.flatten()",
        "else p.grad.flatten()",
        "tests/core/test_distributed.py",
    ),
]


def copy_of_the_repository(folder: Path) -> Path:
    """What the tests need of the repository, in `folder`."""
    for name in ("src", "tests", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def survives(mutation: Mutation, copy: Path) -> bool:
    """Whether the tests pass all the same.

    Raises:
        ValueError: if what is to be replaced does not stand in the file exactly once.
    """
    path = copy / "src" / "omnishot" / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.file} holds {mutation.old!r} {text.count(mutation.old)} times")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutation.tests.split()]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(copy / "src")}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode not in (0, 1):
            raise ValueError(f"{mutation.name}: the tests did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0
    finally:
        path.write_text(text, encoding="utf-8")


def run(mutations: list[Mutation], workers: int) -> list[str]:
    """The names of the survivors; one line is printed for each mutation."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for i in range(workers):
            copies.put(copy_of_the_repository(Path(folder) / str(i)))

        def one(mutation: Mutation) -> str | None:
            copy = copies.get()
            try:
                alive = survives(mutation, copy)
            finally:
                copies.put(copy)
            print(f"{'SURVIVES' if alive else 'noticed '}  {mutation.name}", flush=True)
            return mutation.name if alive else None

        return [name for name in pool.map(one, mutations) if name]


def main() -> int:
    """Run the mutations that are asked for; 1 if one survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("word", nargs="?", default="", help="only mutations whose name holds this")
    parser.add_argument("--workers", type=int, default=2, help="copies of the repository that run side by side")
    options = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if options.word in mutation.name]
    survivors = run(chosen, options.workers)
    print(f"{len(chosen)} mutations, {len(survivors)} survive" + "".join(f"\n  {name}" for name in survivors))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
