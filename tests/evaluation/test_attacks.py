from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from support import helpers

from omnishot.core.distributed import Ranks
from omnishot.episodes.attack import Attack, attack_of, attackable, radii_of
from omnishot.episodes.rows import Episode
from omnishot.errors import UsageError
from omnishot.evaluation import attacks
from omnishot.evaluation.attacks import adversarial_batch, perturbed
from omnishot.experiment.config import Config
from omnishot.learners import LEARNERS
from omnishot.learners.base import Learner
from omnishot.learners.protonet import ProtoNet
from omnishot.modality.image import Image
from omnishot.nn.network import build_network
from omnishot.objectives.classify import Classify
from omnishot.training.trainer import Trainer

CONTINUOUS = ("photo", "sound", "sensor", "facts")
MODALITIES = {name: helpers.MODALITIES[name] for name in CONTINUOUS}
EPSILON = {"photo": 0.03, "sound": 0.01, "sensor": 0.1, "facts": 0.2}
SEED = (0, 1)


def task(*inputs: str, dtype=torch.float64, here: float = 0.6, seed: int = 0) -> Episode:
    """A task of cells such as their modalities give: pictures within black and white, sounds within full scale."""
    modalities = {name: MODALITIES[name] for name in inputs or CONTINUOUS}
    episode = helpers.random_episode(modalities, 1, seed=seed, here=here, dtype=dtype).task(0)
    for cells in (episode.support.inputs, episode.query.inputs):
        for name in {"photo", "sound"} & cells.keys():
            cells[name].clamp_(-1, 1)
        if "sensor" in cells:
            cells["sensor"][..., 2:] = (cells["sensor"][..., 2:] > 0).to(dtype)
            cells["sensor"][..., :2] *= cells["sensor"][..., 2:]
        if "facts" in cells:
            cells["facts"][::3, 0] = 0.0  # a number that is missing
    return episode


def learner(name: str = "protonet", *inputs: str) -> Learner:
    return helpers.learner(name, helpers.network(*(inputs or CONTINUOUS)))


def attacked(method: Learner, episode: Episode, attack: Attack) -> Episode:
    state = method.adapt(episode.support)
    return Episode(episode.support, attacks.attacked(attack, method, state, episode.query, SEED))


def loss(method: Learner, episode: Episode) -> float:
    answer = method.answer(method.adapt(episode.support), episode.query)
    return method.objective.loss(answer, episode.query).item()


# -- what an attack may do ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fgsm", "pgd", "start"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 0.37])
def test_nothing_moves_further_than_the_budget_to_the_bit(name, dtype, size):
    method, episode = learner().to(dtype), task(dtype=dtype, here=1.0)
    epsilon = {n: size * radius for n, radius in EPSILON.items()}
    attack = Attack("fgsm_random_start", epsilon) if name == "start" else None
    query = attacked(method, episode, attack or attack_of(name, epsilon, MODALITIES)).query
    for n, radius in epsilon.items():
        before, after = (q.inputs[n].double() for q in (episode.query, query))
        unit = 1 / 0.5 if n == "photo" else 1.0  # deviation of the training pixels
        distance = (after - before).abs()
        assert distance.max() <= radius * unit, n
        assert distance.max() > 0.99 * radius * unit, n  # … and somewhere as far as that


def test_what_is_moved_stays_what_a_cell_can_be():
    photo = Image((16, 16), 1, (0.3,), (0.21,))
    pixels = torch.randint(0, 256, (6, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels[:, :, :8] = torch.tensor([0, 255]).repeat(8, 8)  # at both ends
    reach = photo.reach(photo.normalise(pixels))
    method = ProtoNet(build_network({"photo": photo}, encoder_options={"photo": {"width": 4}}), Classify())
    rows = helpers.random_rows({"photo": photo}, (6,), here=1.0, dtype=torch.float32)
    rows = dataclasses.replace(rows, inputs={"photo": photo.normalise(pixels)})
    attack = attack_of("pgd", {"image": 0.5}, {"photo": photo})
    moved_ = attacks.attacked(attack, method, method.adapt(rows), rows, SEED).inputs["photo"]
    assert moved_.dtype == torch.float32
    assert (moved_ >= reach.low).all()
    assert (moved_ <= reach.high).all()
    again = (moved_.double() * np.float64(0.21) + 0.3) * 255
    assert -1e-4 < again.min() < 1
    assert 254 < again.max() < 255 + 1e-4
    sound = task().query.inputs["sound"]
    reach = MODALITIES["sound"].reach(sound)
    assert (reach.low.item(), reach.high.item()) == (-1, 32767 / 32768)


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_absent_cells_missing_numbers_flags_and_categories_stay(name):
    method, episode = learner(), task()
    for i, input in enumerate(method.network.names):
        absent = ~episode.query.present[:, i]
        assert absent.any()
        episode.query.inputs[input][absent] = float("nan")
    query = attacked(method, episode, attack_of(name, EPSILON, MODALITIES)).query
    for i, input in enumerate(method.network.names):
        before, after = episode.query.inputs[input], query.inputs[input]
        absent = ~episode.query.present[:, i]
        assert after[absent].isnan().all()
        assert not torch.equal(after[~absent], before[~absent])
        assert after[~absent].isfinite().all()
    here = episode.query.present[:, method.network.names.index("sensor")]
    before, after = episode.query.inputs["sensor"][here], query.inputs["sensor"][here]
    assert torch.equal(after[..., 2:], before[..., 2:])
    assert torch.equal(after[..., :2][before[..., 2:] == 0], before[..., :2][before[..., 2:] == 0])
    here = episode.query.present[:, method.network.names.index("facts")]
    before, after = episode.query.inputs["facts"][here], query.inputs["facts"][here]
    assert torch.equal(after[..., 2, :], before[..., 2, :])
    assert torch.equal(after[..., 1], before[..., 1])
    assert (before[:, 0, 1] == 0).any()
    assert torch.equal(after[:, 0, 0][before[:, 0, 1] == 0], before[:, 0, 0][before[:, 0, 1] == 0])
    assert torch.equal(query.present, episode.query.present)
    assert torch.equal(query.target, episode.query.target)


def test_inputs_without_a_budget_stay():
    method, episode = learner(), task()
    query = attacked(method, episode, attack_of("pgd", {"photo": 0.1}, MODALITIES)).query
    assert query.inputs["sound"] is episode.query.inputs["sound"]
    assert not torch.equal(query.inputs["photo"], episode.query.inputs["photo"])
    still = attacked(method, episode, attack_of("pgd", {"photo": 0.0}, MODALITIES)).query
    assert torch.equal(still.inputs["photo"], episode.query.inputs["photo"])


# -- what an attack does -----------------------------------------------------------------------------------


def test_fgsm_goes_along_the_sign_of_the_gradient_by_finite_differences():
    method, episode = learner("protonet", "photo", "sensor"), task("photo", "sensor", here=1.0)
    query = attacked(method, episode, attack_of("fgsm", {"sensor": 1e-3}, MODALITIES)).query
    moved_by = query.inputs["sensor"] - episode.query.inputs["sensor"]
    state, h, checked = method.adapt(episode.support), 1e-6, 0
    for row, step, channel in np.ndindex(3, 12, 2):
        if episode.query.inputs["sensor"][row, step, 2 + channel] == 0:
            continue
        values = []
        for sign in (1, -1):
            cells = episode.query.inputs["sensor"].clone()
            cells[row, step, channel] += sign * h
            rows = dataclasses.replace(episode.query, inputs=episode.query.inputs | {"sensor": cells})
            values.append(method.objective.loss(method.answer(state, rows), rows))
        slope = (values[0] - values[1]).item() / (2 * h)
        if abs(slope) > 1e-6:
            assert np.sign(slope) == torch.sign(moved_by[row, step, channel]), (row, step, channel)
            checked += 1
    assert checked > 20


def test_pgd_is_what_it_says():
    """An independent ten lines: random start, equal steps along the sign, brought back."""
    method, episode = learner("protonet", "sensor"), task("sensor", here=1.0)
    attack, state = attack_of("pgd", {"sensor": 0.3}, MODALITIES, 4), method.adapt(episode.support)
    query = attacks.attacked(attack, method, state, episode.query, SEED)
    chance = torch.Generator().manual_seed(int(np.random.default_rng(list(SEED)).integers(2**63)))
    clean, valid = episode.query.inputs["sensor"][..., :2], episode.query.inputs["sensor"][..., 2:]
    luck = torch.rand((*clean.shape[:2], 4), generator=chance).double()[..., :2]
    x = clean + 0.3 * (2 * luck - 1) * valid
    for _ in range(4):
        x = x.detach().requires_grad_()
        rows = dataclasses.replace(episode.query, inputs={"sensor": torch.cat([x, valid], -1)})
        params = {n: p.detach() for n, p in method.named_parameters()}
        method.objective.loss(method.predict(params, state, rows), rows).backward()
        x = clean + ((x + 2.5 / 4 * 0.3 * x.grad.sign() * valid) - clean).clamp(-0.3, 0.3)
    torch.testing.assert_close(query.inputs["sensor"][..., :2], x.detach(), rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def trained() -> Learner:
    """A small learner that has learned blobs of numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network({"facts": helpers.tabular(8)}, encoder_options={"facts": {"width": 32}})
        method = ProtoNet(network, Classify())
    return helpers.trained(method, lambda step: helpers.blobs(step, 8), 150)


@pytest.mark.parametrize("radius", [0.1, 0.5, 1.0])
def test_on_a_trained_learner_pgd_is_no_weaker_than_fgsm_and_fgsm_hurts(trained, radius):
    batch, modalities = helpers.blobs(1000, 20), trained.network.modalities
    assert helpers.judged(trained, batch) > 0.6
    tasks = [batch.task(t) for t in range(batch.tasks)]
    fgsm, pgd = (attack_of(name, {"facts": radius}, modalities) for name in ("fgsm", "pgd"))
    clean = np.array([loss(trained, t) for t in tasks])
    once, often = (np.array([loss(trained, attacked(trained, t, a)) for t in tasks]) for a in (fgsm, pgd))
    assert (once > clean).all()
    assert (often > clean).all()
    assert often.mean() >= once.mean() * (1 - 1e-3)  # where the loss is all but linear both end in the same corner
    assert radius == 0.1 or often.mean() > once.mean()


@pytest.mark.parametrize("name", LEARNERS.names())
def test_every_learner_is_differentiable_from_query_to_prediction(name):
    method, episode = learner(name, "photo", "facts"), task("photo", "facts", here=1.0)
    query = attacked(method, episode, attack_of("fgsm", {"photo": 0.01, "facts": 0.01}, MODALITIES)).query
    assert not torch.equal(query.inputs["photo"], episode.query.inputs["photo"])


def test_a_learner_that_is_not_differentiable_is_refused():
    class Rounded(ProtoNet):
        def predict(self, params, state, query):
            return super().predict(params, state, query).detach()

    class Deaf(ProtoNet):
        def features(self, params, rows):
            return super().features(params, dataclasses.replace(rows, inputs=rows.inputs | {
                "photo": rows.inputs["photo"].detach()}))  # fmt: skip

    for cls in (Rounded, Deaf):
        method = cls(helpers.network("photo", "facts"), Classify()).double()
        said = f"learner '{cls.__name__.lower()}' cannot be attacked through input 'photo'"
        with pytest.raises(UsageError, match=said):
            attacked(method, task("photo", "facts", here=1.0), attack_of("pgd", {"photo": 0.1}, MODALITIES))


# -- adversarial training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["protonet", "maml", "finetune", "siamese"])
def test_a_task_is_hardened_by_itself(name):
    method = learner(name, "photo", "facts")
    batch = helpers.random_episode({n: MODALITIES[n] for n in ("photo", "facts")}, 4)
    seeds = [(7, 3, t) for t in range(4)]
    radii = {"photo": 0.05, "facts": 0.1}
    together = adversarial_batch(method, batch, radii, seeds)
    every_other = adversarial_batch(method, batch.select(slice(1, None, 2)), radii, seeds[1::2])  # what rank 1 of 2 has
    for n in radii:
        assert torch.equal(together.query.inputs[n][1::2], every_other.query.inputs[n])
        assert not torch.equal(together.query.inputs[n], batch.query.inputs[n])
    other = adversarial_batch(method, batch, radii, [(7, 4, t) for t in range(4)])
    assert not torch.equal(together.query.inputs["photo"], other.query.inputs["photo"])
    assert together.support is batch.support
    assert all(p.grad is None for p in method.parameters())


def test_ranks_attack_their_tasks_as_one_rank_does(tmp_path):
    method = learner("protonet", "photo", "facts")
    batch = helpers.random_episode({n: MODALITIES[n] for n in ("photo", "facts")}, 3)
    config = Config(tasks=3, seed=5, adversarial={"image": 0.05, "facts": 0.0})
    trainer = functools.partial(Trainer, method, None, None, folder=tmp_path)
    whole = trainer(config=config).attacked(7, batch)
    assert not torch.equal(whole.query.inputs["photo"], batch.query.inputs["photo"])
    assert whole.query.inputs["facts"] is batch.query.inputs["facts"]
    for rank in range(2):
        share = trainer(config=config, ranks=Ranks(rank, 2)).attacked(7, batch.select(slice(rank, None, 2)))
        assert torch.equal(share.query.inputs["photo"], whole.query.inputs["photo"][rank::2])
    assert trainer(config=dataclasses.replace(config, adversarial={})).attacked(7, batch) is batch


@pytest.mark.parametrize("name", ["protonet", "maml", "relation", "joint"])
def test_hardening_raises_the_loss_that_is_trained(name):
    method = learner(name, "facts")
    batch = helpers.random_episode({"facts": MODALITIES["facts"]}, 3, here=1.0)
    params = {n: p.detach() for n, p in method.named_parameters()}
    hard = adversarial_batch(method, batch, {"facts": 0.1}, [(0, t) for t in range(3)])
    before, after = ([method.loss(params, b.task(t)).item() for t in range(3)] for b in (batch, hard))
    assert sum(after) > sum(before)


# -- how it is said ----------------------------------------------------------------------------------------


def test_an_attack_is_written_down_with_everything_it_depends_on():
    attack = attack_of("pgd", {"image": 0.03}, MODALITIES, 5)
    assert attack.to_json() == {
        "name": "pgd", "epsilon": {"photo": 0.03}, "unit": {"photo": "of the way from black to white"}, "steps": 5,
        "step_size": {"photo": 0.015},
    }  # fmt: skip
    assert attack_of("fgsm", {"sensor": 0.1}, MODALITIES).to_json()["step_size"] == {"sensor": 0.1}


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (("fgms", {"photo": 0.1}), "unknown attack 'fgms': did you mean 'fgsm'"),
        (("fgsm", None), "attack 'fgsm' needs an epsilon"),
        (("fgsm", {"foto": 0.1}), "no input 'foto': did you mean 'photo'"),
        (("fgsm", {"words": 0.1}), r"input 'words' \(text\) cannot be attacked"),
        (("fgsm", {"traits": 0.1}), r"input 'traits' \(features\) cannot be attacked"),
        (("pgd", {"photo": -0.1}), "the epsilon of 'photo' must be 0 or more"),
        (("pgd", {"photo": float("inf")}), "the epsilon of 'photo' must be 0 or more, and finite"),
        (("fgsm", {"photo": 0.1}, 3), "fgsm takes one step"),
        (("pgd", {"photo": 0.1}, 0), "attack_steps = 0"),
    ],
)
def test_what_cannot_be_done_is_said(said, match):
    name, epsilon, *steps = said
    with pytest.raises(UsageError, match=match):
        attack_of(name, epsilon, helpers.MODALITIES, *steps)


def test_what_can_be_attacked():
    assert {n for n, m in helpers.MODALITIES.items() if attackable(m)} == {*CONTINUOUS, "clip"}
    categories = dataclasses.replace(MODALITIES["facts"], columns=("colour",), kinds=("category",), mean=(0.0,),
                                     std=(1.0,), levels=(("red", "green"),))  # fmt: skip
    assert not attackable(categories)
    assert radii_of({"*": 0.1, "photo": 0.2}, MODALITIES) == {n: 0.2 if n == "photo" else 0.1 for n in CONTINUOUS}


def test_a_gradient_that_is_not_finite_moves_nothing():
    method, episode = learner("protonet", "facts"), task("facts", here=1.0)

    def broken(rows):
        return (rows.inputs["facts"] * float("nan")).sum()

    query = perturbed(broken, episode.query, attack_of("fgsm", {"facts": 0.1}, MODALITIES), method, SEED)
    assert torch.equal(query.inputs["facts"], episode.query.inputs["facts"])
