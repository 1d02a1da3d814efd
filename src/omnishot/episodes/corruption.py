"""What is done on purpose to the inputs of tasks: missing cells, noise, failures, attacks, inputs left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from omnishot.episodes.attack import Attack, attack_of
from omnishot.episodes.inputs import failures_by_input, input_names, levels_by_input
from omnishot.episodes.missing import ALL
from omnishot.errors import UsageError, choose
from omnishot.modality.base import Modality

HALVES = ("support", "query")
MISSING_IN = ("all", *HALVES)


class CorruptionOptions(TypedDict, total=False):
    """Options that corrupt inputs. Each mapping is by input name, by kind of input, or `*` for all inputs.

    Args:
        missing: fraction 0…1 of the cells that are taken away.
        missing_in: the rows that they are taken from: `support`, `query` or `all`.
        noise: noise level 0…1, in support and query rows.
        failure: `dead`, `swapped`, `delayed` or `frozen` (`Modality.fail`), in support and query rows.
        attack: `fgsm` or `pgd` on the query rows, after their task is learned (`omnishot.evaluation.attacks`).
        epsilon: how far an attack may move each number (L∞): pictures from black (0) to white (1), sounds in full
            scales, series and numbers in standard deviations of the training rows.
        attack_steps: number of steps of pgd; None: 10.
        support_inputs, query_inputs: the only inputs, or kinds of input, that support and query rows have; empty: all.
            They show how well classes learned from some inputs are recognised by others. A row that has none of them
            stays in its task without any input.
    """

    missing: Mapping[str, float] | None
    missing_in: str
    noise: Mapping[str, float] | None
    failure: Mapping[str, str] | None
    attack: str | None
    epsilon: Mapping[str, float] | None
    attack_steps: int | None
    support_inputs: Sequence[str]
    query_inputs: Sequence[str]


@dataclass(frozen=True)
class Corruption:
    """What is done to the inputs of tasks. Corruptions with the same effect are equal; the default has none.

    Args:
        missing: fraction 0…1 of the cells taken away, by input name, or of all cells together under `*` alone.
        missing_in: the rows that they are taken from: `support`, `query` or `all`.
        noise: noise level 0…1 by input name, in support and query rows.
        failure: the failure by input name (`Modality.fail`), in support and query rows.
        attack: on the query rows, after their task is learned.
        support_inputs, query_inputs: the only inputs present in support and in query rows; empty: all.
        new: inputs that meta-training did not have, added to the tasks.
    """

    missing: Mapping[str, float] = field(default_factory=dict)
    missing_in: str = "all"
    noise: Mapping[str, float] = field(default_factory=dict)
    failure: Mapping[str, str] = field(default_factory=dict)
    attack: Attack | None = None
    support_inputs: tuple[str, ...] = ()
    query_inputs: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    def __hash__(self) -> int:
        mappings = (tuple(sorted(each.items())) for each in (self.missing, self.noise, self.failure))
        return hash((*mappings, self.missing_in, self.attack, self.support_inputs, self.query_inputs, self.new))

    @classmethod
    def of(
        cls,
        modalities: Mapping[str, Modality],
        *,
        missing: Mapping[str, float] | None = None,
        missing_in: str = "all",
        noise: Mapping[str, float] | None = None,
        failure: Mapping[str, str] | None = None,
        attack: str | None = None,
        epsilon: Mapping[str, float] | None = None,
        attack_steps: int | None = None,
        support_inputs: Sequence[str] = (),
        query_inputs: Sequence[str] = (),
    ) -> Corruption:
        """A corruption of these inputs from options (`CorruptionOptions`).

        Raises:
            UsageError: for an unknown input, failure or attack, a level outside 0…1, an impossible epsilon, or options
                of an attack without one.
        """
        if attack is None and epsilon:
            raise UsageError(f"an epsilon ({', '.join(epsilon)}) needs an attack: add attack (--attack fgsm or pgd)")
        if attack is None and attack_steps is not None:
            raise UsageError(f"attack_steps = {attack_steps} without an attack: add attack='pgd' (--attack pgd)")
        fractions = levels_by_input(missing or {}, modalities)
        return cls(
            missing=dict(missing) if missing and missing.keys() == {ALL} else fractions,
            missing_in=choose("missing_in", missing_in, MISSING_IN),
            noise=levels_by_input(noise or {}, modalities),
            failure=failures_by_input(failure or {}, modalities),
            attack=None if attack is None else attack_of(attack, epsilon, modalities, attack_steps),
            support_inputs=input_names(support_inputs, modalities),
            query_inputs=input_names(query_inputs, modalities),
        )

    @property
    def changes_cells(self) -> bool:
        """Whether any cell of the tasks' inputs (`new` ones aside) is changed or taken away."""
        halves = self.support_inputs or self.query_inputs
        return bool(self.missing or self.noise or self.failure or self.attack or halves)

    def inputs_of(self, half: str) -> tuple[str, ...]:
        """The only inputs that rows of a half (`support` or `query`) have; empty: all."""
        return self.support_inputs if half == "support" else self.query_inputs

    def phrases(self) -> list[str]:
        """The corruption for people, one phrase for each part: `half of all cells missing`."""
        where = "" if self.missing_in == "all" else f" in {self.missing_in} rows"
        return [
            *(f"{name} unseen in training" for name in self.new),
            *(f"{half} rows of {'+'.join(self.inputs_of(half))} only" for half in HALVES if self.inputs_of(half)),
            *(
                f"{'half' if part == 0.5 else f'{part:.0%}'} of {'all' if name == ALL else name} cells missing{where}"
                for name, part in self.missing.items()
            ),
            *(f"noise {level:g} on {name}" for name, level in self.noise.items()),
            *(f"{name} {failure}" for name, failure in self.failure.items()),
            *(self.attack.phrases() if self.attack else ()),
        ]

    def __str__(self) -> str:
        return ", ".join(self.phrases())

    def to_json(self) -> dict[str, Any]:
        """The corruption as plain values, under the keys that a figure has."""
        return {
            "missing": dict(self.missing),
            "missing_in": self.missing_in,
            "noise": dict(self.noise),
            "failure": dict(self.failure),
            "attack": self.attack.to_json() if self.attack else {},
            "support_inputs": list(self.support_inputs),
            "query_inputs": list(self.query_inputs),
            "new": list(self.new),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Corruption:
        """The inverse of `to_json`; a missing key means no corruption of that kind, other keys are ignored."""
        attack = record.get("attack")
        return cls(
            missing=dict(record.get("missing", {})),
            missing_in=record.get("missing_in", "all"),
            noise=dict(record.get("noise", {})),
            failure=dict(record.get("failure", {})),
            attack=Attack.from_json(attack) if attack else None,
            support_inputs=tuple(record.get("support_inputs", ())),
            query_inputs=tuple(record.get("query_inputs", ())),
            new=tuple(record.get("new", ())),
        )


#: Nothing is done.
CLEAN = Corruption()
#: Keys of `Corruption.to_json`.
CORRUPTION_KEYS = frozenset(CLEAN.to_json())
