"""Ranks: two processes started by torchrun give the result of one, and name a rank that has stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import tables, together

from omnishot.core.distributed import ALONE, Ranks, join
from omnishot.errors import UsageError
from omnishot.training.train import train

TESTS = Path(__file__).parents[1]
HOSTS = """
set -e
ip link set lo up
unshare --net sleep 600 & other=$!
trap 'kill $other' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add v0 type veth peer name v1 netns $other
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
there() { nsenter --target $other --net "$@"; }
there ip link set lo up
there ip addr add 10.9.0.2/24 dev v1
there ip link set v1 up
start() { "$PYTHON" -m torch.distributed.run --nnodes 2 --nproc-per-node 1 --master-addr 10.9.0.1 "$@"; }
(cd "$B"; export GLOO_SOCKET_IFNAME=v1 OMNISHOT_CACHE="$B/cache"; export -f start;
 there bash -c 'start --node-rank 1 "$@"' - "$@") & second=$!
(cd "$A"; export GLOO_SOCKET_IFNAME=v0 OMNISHOT_CACHE="$A/cache"; start --node-rank 0 "$@")
wait $second
"""


def torchrun(*command: object, ok: bool = True) -> str:
    """Run two ranks on this host; returns their stderr."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launch, *map(str, command)], capture_output=True, text=True, env=environment(), timeout=300)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stderr


def environment() -> dict[str, str]:
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])}
    return {name: value for name, value in os.environ.items() if name != "WORLD_SIZE"} | own


def options() -> list[str]:
    """The options of `together.OPTIONS` as command-line arguments."""
    arguments = []
    for name, value in together.OPTIONS.items():
        pairs = [(f"{name}.{k}", v) for k, v in value.items()] if isinstance(value, dict) else [(name, value)]
        arguments += [f"--{n.replace('_', '-')}={v}" for n, v in pairs]
    return arguments


def error_of(stderr: str) -> list[str]:
    lines = [line for line in stderr.splitlines() if line.startswith("omnishot: ")]
    return [line for line in lines if not line.startswith("omnishot: warning: ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks left that had no accident."""
    folder = tmp_path_factory.mktemp("together")
    tables.birds(folder)
    torchrun(TESTS / "support" / "together.py", "work", folder)
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict]:
    """The results of each of two ranks."""
    return [json.loads((folder / f"found-{rank}.json").read_text()) for rank in (0, 1)]


def close(got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], bound: float) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert (got[name] - value).norm() <= bound * max(1e-3, value.norm()), name


# -- ranks -------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.integers(1, 40))
def test_shards_cover_everything_once_and_evenly(count, world):
    shards = [Ranks(rank, world).shard(count) for rank in range(world)]
    assert [i for shard in shards for i in shard] == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_plain_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join() is ALONE
    p = torch.ones(2, requires_grad=True)
    extra = torch.ones(3)
    assert ALONE.reduce_gradients([p], 1.0, extra) is extra
    assert p.grad is None
    assert (ALONE.gather(1), ALONE.on_main(lambda: 2), ALONE.host()) == ([1], 2, ALONE)
    assert not torch.distributed.is_initialized()


def test_half_of_torchruns_environment_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="RANK, MASTER_ADDR, MASTER_PORT not: start with torchrun"):
        join()


def test_more_ranks_than_accelerators_are_refused():
    with pytest.raises(UsageError, match="start as many as there are GPUs"):
        Ranks(0, 999, 0, 999).on(torch.device("cuda"))


def test_ranks_communicate(results):
    for rank, own in enumerate(results):
        communicated = own["talk"]
        assert communicated["rank"] == rank
        assert communicated["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert communicated["led"] == "rank 0"
        assert communicated["raised"] == "rank 0 has no disk"
        assert communicated["shared"] == [[[0.0] * 2] * 3, 0]
        assert communicated["total"] == [0.0, 3.0, 6.0]
        assert communicated["host"] == [rank, 2]
    assert sorted(own["talk"]["says"] for own in results) == [[False, True], [True, True]]


# -- the same as one rank ----------------------------------------------------------------------------------


def test_two_ranks_give_the_meta_gradient_of_one(folder):
    expected = together.gradients(ALONE)
    # Alone, reduce_gradients leaves gradients as they are: this is the learner's own mean over all tasks.
    assert any(value.norm() > 0 for value in expected.values())
    ranks = [torch.load(folder / f"gradients-{rank}.pt") for rank in (0, 1)]
    for rank in ranks:
        close(rank, expected, 1e-12)
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in expected)


def test_a_cache_is_filled_together(results):
    for own in results:
        cache = own["cache"]
        assert cache["stored"] == [[i, i] for i in range(7)] + [[0, 0]] * 2
        assert cache["present"] == [True] * 7 + [False] * 2
        assert cache["bad"] == [[8, "no number"]]
        assert cache["opened again"] == 0
        assert len(cache["left"]) == 1
        assert cache["derived"] == [[2 * i, 2 * i] for i in range(7)] + [[0, 0]] * 2
    assert [own["cache"]["opened"] for own in results] == [4, 4]
    shares = [own["cache"]["doubled"] for own in results]
    assert sum(made for made, _ in shares) == 7
    assert all(made == after for made, after in shares)


def test_a_run_of_two_ranks_is_that_of_one(folder, results, tmp_path):
    one = train(folder / "birds.csv", target="species", out=tmp_path / "one", **together.OPTIONS)
    parameters = [torch.load(folder / f"parameters-{rank}.pt") for rank in (0, 1)]
    close(parameters[0], one.learner.params(), 1e-4)
    assert all(torch.equal(parameters[0][name], parameters[1][name]) for name in parameters[0])
    logs = [(out / "metrics.jsonl").read_text().splitlines() for out in (folder / "whole", tmp_path / "one")]
    for two, alone in zip(*(map(json.loads, log) for log in logs), strict=True):
        assert two.pop("tuned", None) == alone.pop("tuned", None)
        assert two == pytest.approx(alone, rel=1e-3, abs=1e-5)
    assert not list(folder.glob("**/*.partial"))


def test_ranks_skip_the_same_step_remember_the_same_rows_and_choose_the_same_value(folder):
    first, second = (torch.load(folder / f"rocky-{rank}.pt") for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(p.isfinite().all() for p in first.values())
    assert first["memory.filled"] == 1
    lines = [json.loads(line) for line in (folder / "rocky" / "metrics.jsonl").read_text().splitlines()]
    assert [(r["step"], r["skipped"]) for r in lines if "skipped" in r] == [
        (3, "the loss of 1 of 3 tasks was not finite")
    ]
    assert [r["step"] for r in lines if "loss" in r] == [1, 2, 4, 5, 6]
    tuned = {r["tuned"]: r["value"] for r in lines if "tuned" in r}
    assert tuned.keys() == {"old_weight", "temperature"}
    assert tuned["old_weight"] == pytest.approx(first["old_weight"].item())


def test_two_ranks_give_the_figures_of_one(folder, results):
    from omnishot.runs.run import Run

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as torchrun's ranks have: sums of more threads round otherwise
    alone = Run.load(folder / "whole").evaluate(episodes=21, save=False).to_json()
    torch.set_num_threads(threads)
    for own in results:
        assert own["figures"] == [figure | {"seconds": 0} for figure in alone]
    assert len(json.loads((folder / "whole" / "evaluation.json").read_text())) == len(alone)


# -- accidents ---------------------------------------------------------------------------------------------


def test_whatever_stops_a_rank_stops_all_and_the_run_resumes_to_the_same_result(folder, tmp_path):
    command = ["train", folder / "birds.csv", "--target", "species", "--out", tmp_path / "run", *options()]
    killed = torchrun(TESTS / "support" / "together.py", "accident:1:6:SIGKILL", *command, ok=False)
    assert len(error_of(killed)) == 1
    assert "rank 1 of 2 (counted from 0) stopped" in error_of(killed)[0]
    assert "--resume" in error_of(killed)[0]
    stopped = torchrun(TESTS / "support" / "together.py", "accident:1:6:SIGTERM", *command, "--resume", ok=False)
    assert [line.split(";")[0] for line in error_of(stopped)] == ["omnishot: error: stopped at step 7 of 10"]
    assert torchrun("-m", "omnishot", *command, "--resume").count("the run is in") == 1
    for name in ("best", "last"):
        whole, resumed = (read(out / name / "checkpoint.safetensors") for out in (folder / "whole", tmp_path / "run"))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_an_error_of_all_ranks_is_printed_once(results):
    assert [own["code"] for own in results] == [2, 2]
    assert sorted(bool(own["error"]) for own in results) == [False, True]
    assert "already holds a run" in results[0]["error"] + results[1]["error"]


def read(path: Path) -> dict[str, torch.Tensor]:
    from omnishot.core.storage import read_tensors

    return read_tensors(path)[0]


# -- hosts -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hosts_with_disks_of_their_own(folder, tmp_path):
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip")
    if subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True).returncode:
        pytest.skip("network namespaces are not permitted here")
    for host in "AB":
        (tmp_path / host).mkdir()
        tables.birds(tmp_path / host)
    command = ["-m", "omnishot", "train", "birds.csv", "--target", "species", "--out", "run", *options()]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "bash", "-c", HOSTS, "-", *command],
        env=environment() | {"PYTHON": sys.executable, "A": str(tmp_path / "A"), "B": str(tmp_path / "B")},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "B" / "run").exists()
    assert all(any((tmp_path / host / "cache").iterdir()) for host in "AB")
    whole, hosts = (read(run / "last" / "checkpoint.safetensors") for run in (folder / "whole", tmp_path / "A" / "run"))
    assert all(torch.equal(whole[key], hosts[key]) for key in whole)
