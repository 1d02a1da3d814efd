"""Ranks: processes on one or more hosts that train, evaluate and decode together, started by torchrun.

Gradients are reduced here, not by DistributedDataParallel, which an inner loop on parameters other than the module's
own bypasses: the ranks would drift apart without an error. A single process imports and starts nothing of this.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from omnishot.errors import OmnishotError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

T = TypeVar("T")
STEP_TIMEOUT = timedelta(minutes=10)  # for the other ranks' part of a training step
LONG_TIMEOUT = timedelta(days=1)  # for work of unknown length: reading, decoding, validation
ROLL_CALL = 5.0  # seconds within which every rank that still runs reports to the others
_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_store: Any = None
_groups: list[Any] = []  # the only references: a group closes its connections once nothing refers to it


class RankLost(OmnishotError):
    """Another rank has stopped, so that this one cannot continue."""


@dataclass(frozen=True)
class Ranks:
    """Processes that work together, of which this is one. All of them call every method but `shard`, in the same order.

    Args:
        rank: number of this process; only rank 0 writes files and messages.
        world: number of processes.
        local, local_world: the same among those of this host.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1
    _objects: int = 0  # index of the group that sends Python values; `_tensors`: of that which sends tensors
    _tensors: int = 0

    def shard(self, count: int) -> range:
        """This rank's part of `range(count)`; the parts are consecutive, in the order of ranks."""
        return range(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in the order of ranks. The ranks exchange pickled values."""
        if self.world == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.world
        with _naming_lost_ranks():
            dist.all_gather_object(values, value, _groups[self._objects])
        return values

    def on_main(self, work: Callable[[], T]) -> T:
        """The result of `work`, which only rank 0 does; its `OmnishotError` is raised on every rank."""
        if self.world == 1:
            return work()
        import torch.distributed as dist

        result: list[Any] = [None, None]  # the value, and the error
        if self.rank == 0:
            try:
                result[0] = work()
            except OmnishotError as error:
                result[1] = error
        with _naming_lost_ranks():
            dist.broadcast_object_list(result, group=_groups[self._objects], group_src=0)
        if result[1] is not None:
            raise result[1]
        return result[0]

    def reduce(self, tensor: Tensor) -> None:
        """Replace a contiguous tensor by its sum over the ranks, bit for bit the same on each of them."""
        if self.world == 1:
            return
        import torch.distributed as dist

        with _naming_lost_ranks():
            dist.all_reduce(tensor, group=_groups[self._tensors])

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by rank 0's, in place."""
        if self.world == 1:
            return
        import torch
        import torch.distributed as dist

        with torch.no_grad():
            for tensor in tensors:
                same = tensor.contiguous()
                with _naming_lost_ranks():
                    dist.broadcast(same, group=_groups[self._tensors], group_src=0)
                tensor.copy_(same)

    def reduce_gradients(self, parameters: Iterable[Tensor], weight: float, extra: Tensor) -> Tensor:
        """Replace each `.grad` by the sum over ranks of `weight` · grad (None counts as zeros), by one all-reduce.

        Args:
            parameters: in the same order on every rank.
            weight: of this rank's gradients; must be 1 if there is one rank only.
            extra: `[n]`, further numbers to sum, without a weight; the sums are returned.
        """
        if self.world == 1:
            return extra
        import torch

        trained = [p for p in parameters if p.requires_grad]
        parts = [torch.zeros_like(p).flatten() if p.grad is None else weight * p.grad.flatten() for p in trained]
        flat = torch.cat([*parts, extra])
        self.reduce(flat)
        *sums, extra = flat.split([*(p.numel() for p in trained), len(extra)])
        for p, total in zip(trained, sums, strict=True):
            if p.grad is None:
                p.grad = torch.empty_like(p)
            p.grad.copy_(total.view(p.shape))
        return extra

    def host(self) -> Ranks:
        """The ranks of this host, which share its disk."""
        if self.local_world == self.world:
            return self
        if self.local_world == 1:
            return ALONE
        group = _group("gloo", LONG_TIMEOUT, range(self.rank - self.local, self.rank - self.local + self.local_world))
        return Ranks(self.local, self.local_world, self.local, self.local_world, group, group)

    def on(self, device: torch.device) -> tuple[Ranks, torch.device]:
        """These ranks with tensors on devices of that type, and this rank's own device.

        Raises:
            UsageError: if a host has more ranks than accelerators.
        """
        if self.world == 1 or device.type == "cpu":
            return self, device
        import torch

        if device.type != "cuda":
            raise UsageError(f"several ranks work on cpu or cuda, not on {device.type}: choose --device cpu")
        if self.local_world > torch.cuda.device_count():
            raise UsageError(
                f"{self.local_world} ranks on a host with {torch.cuda.device_count()} GPUs: start as many as there "
                "are GPUs (--nproc-per-node), or choose --device cpu"
            )
        own = torch.device("cuda", self.local)
        torch.cuda.set_device(own)
        return replace(self, _tensors=_group("nccl", STEP_TIMEOUT)), own


#: A plain process.
ALONE = Ranks()


def join() -> Ranks:
    """The ranks that torchrun started, `ALONE` in a plain process.

    Raises:
        UsageError: if the environment is only half of what torchrun sets.
    """
    return ALONE if os.environ.get("WORLD_SIZE", "1") == "1" else _joined()


def is_first_to_report(message: str) -> bool:
    """Whether this rank is the first to ask for the same message: an error of all ranks is printed once."""
    with suppress(RuntimeError):
        return _store is None or _store.add(f"reported/{message}", 1) == 1
    return True


@functools.cache
def _joined() -> Ranks:
    global _store
    import torch.distributed as dist

    if lacking := [name for name in _BY_TORCHRUN if not os.environ.get(name)]:
        raise UsageError(f"WORLD_SIZE is set, {', '.join(lacking)} not: start with torchrun, or unset WORLD_SIZE")
    if not dist.is_initialized():
        with _naming_lost_ranks():
            store, rank, world = next(dist.rendezvous("env://", timeout=STEP_TIMEOUT))
            _store = dist.PrefixStore("omnishot", store)
            dist.init_process_group("gloo", store=_store, rank=rank, world_size=world, timeout=STEP_TIMEOUT)
        atexit.register(_leave)
    local, local_world = (int(os.environ.get(n, d)) for n, d in (("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1")))
    groups = _group("gloo", LONG_TIMEOUT), _group("gloo", STEP_TIMEOUT)
    return Ranks(dist.get_rank(), dist.get_world_size(), local, local_world, *groups)


def _group(backend: str, timeout: timedelta, ranks: Sequence[int] | None = None) -> int:
    import torch.distributed as dist

    with _naming_lost_ranks():
        members = None if ranks is None else list(ranks)
        _groups.append(dist.new_group(members, timeout, backend, use_local_synchronization=members is not None))
    return len(_groups) - 1


@contextmanager
def _naming_lost_ranks() -> Iterator[None]:
    """A context for communication: if it fails, RankLost is raised and names the ranks that have stopped."""
    problem = None
    try:
        yield
    except (RuntimeError, IndexError) as error:  # IndexError: this rank has left the group
        problem = str(error) or repr(error)
    if problem is not None:  # outside of `except`: the error refers to the group, which must close
        raise RankLost(_roll_call(problem.splitlines()[0]))


def _roll_call(problem: str) -> str:
    """Leave the groups and wait for the other ranks to do the same; return a message that names those that do not.

    A rank that leaves breaks the connections of the others, which then come here too; a rank that was killed does not.
    """
    import torch.distributed as dist

    if _store is None or not dist.is_initialized():
        return f"the other ranks cannot be reached: {problem}"
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's; we stop once we know why
    rank, world = dist.get_rank(), dist.get_world_size()
    _leave()
    gone, end = set(range(world)), time.monotonic() + ROLL_CALL
    with suppress(RuntimeError):  # the host of the store has stopped
        _store.set(f"here/{rank}", "")
        while gone and time.monotonic() < end:
            gone = {other for other in gone if not _store.check([f"here/{other}"])}
            time.sleep(0.05)
    if rank in gone or not gone:
        return f"the connection to the other ranks broke: {problem}"
    named = ("rank " if len(gone) == 1 else "ranks ") + ", ".join(map(str, sorted(gone)))
    return (
        f"{named} of {world} (counted from 0) stopped: killed, out of memory, or by an error of its own, which its "
        "message explains; the others stop too"
    )


def _leave() -> None:
    """Close the connections to other ranks: their threads must end before the interpreter does."""
    import torch.distributed as dist

    _groups.clear()
    if dist.is_initialized():
        dist.destroy_process_group()
