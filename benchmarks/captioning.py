"""Meta-steps per second of captioning, and tokens per second of saying captions.

    python benchmarks/captioning.py

Rows are a short series of 32 channels, read by a small encoder (so that the decoder takes the time) and seen as its
moments; two sentences of 5 to 11 words a row, of 150 words and three of the task's own. 5 support and 5 query rows, 4
tasks a step, width 64.

- Meta-steps: MAML with the transformer, the recurrent and the CTC decoder; 0 inner steps (the new words' class means
  alone), 1 of first and 1 of second order; task by task (`loop`), and `split` and `vmap`. The ratio is to `loop`.
- Saying: 40 rows of 4 tasks, each with a decoder of its own, greedily and with a beam of 5, up to 24 tokens: rows of
  one task at a time, and all tasks at once by `torch.vmap`. Beside it a search that keeps nothing and tells the
  whole beginning again at every token, and, greedily, `torch.nn.TransformerDecoder` of the same size in the loop that
  its users write. Nobody ends a sentence early: all say 23 tokens. The ratio is to the search that keeps nothing.

Before anything is timed, what is kept must change no token, and tasks at once must say what each says alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import timing
import torch
from torch import Tensor, nn
from torch.func import vmap

from omnishot.episodes.rows import Episode, Rows
from omnishot.experiment.plan import Plan
from omnishot.learners.maml import MAML
from omnishot.modality.series import Series
from omnishot.nn.decoders.base import TextDistribution
from omnishot.nn.decoders.search import beam_search
from omnishot.nn.decoders.tokens import BOS, EOS, PAD
from omnishot.nn.network import build_network
from omnishot.objectives.caption import Caption
from omnishot.objectives.text import TextObjective
from omnishot.objectives.transcribe import Transcribe
from omnishot.training.engine.backward import backward

DIM, TASKS, ROWS, SENTENCES, LONGEST, WORDS, OWN = 64, 4, 5, 2, 12, 150, 3
CHANNELS = 32
SERIES = Series(96, CHANNELS, (0.0,) * CHANNELS, (1.0,) * CHANNELS)
LENGTH, WIDTH, QUERIES = 24, 5, 10  # tokens, beam, rows of a task
HOW = {"no inner step": {"inner_steps": 0}, "1 step, first order": {"inner_steps": 1, "second_order": False},
       "1 step, second order": {"inner_steps": 1}}  # fmt: skip


def objective(decoder: str, longest: int = LONGEST) -> TextObjective:
    tokens, own = tuple(f"word{i}" for i in range(WORDS)), 0 if decoder == "ctc" else OWN
    build = Transcribe if decoder == "ctc" else Caption
    return build(tokens, unit="word", decoder=decoder, longest=longest, own_words=own)


def learner(decoder: str, longest: int = LONGEST, **options: object) -> MAML:
    torch.manual_seed(0)
    network = build_network({"x": SERIES}, "transformer", DIM, level="token", fusion_options={"layers": 1},
                      encoder_options={"x": {"width": 8}})  # fmt: skip
    return MAML(network, objective(decoder, longest), **options)  # type: ignore[arg-type]


def batch(texts: TextObjective, queries: int = ROWS) -> Episode:
    """Random rows with sentences of 5 to 11 words."""
    g = torch.Generator().manual_seed(1)
    halves = []
    for rows in (ROWS, queries):
        shape = (TASKS, rows, SENTENCES, LONGEST)
        tokens = torch.randint(4, texts.outputs(None), shape, generator=g)
        length = torch.randint(5, LONGEST, (*shape[:-1], 1), generator=g)
        place = torch.arange(LONGEST)
        target = torch.where(place < length, tokens, torch.where(place == length, EOS, PAD))
        cells = torch.randn(TASKS, rows, *SERIES.shape, generator=g)
        halves.append(Rows({"x": cells}, torch.ones(TASKS, rows, 1, dtype=torch.bool), target))
    return Episode(*halves)


def steps(decoder: str, how: str, rounds: int) -> list[dict]:
    """Records of the meta-gradient by plan."""
    method = learner(decoder, **HOW[how])
    tasks = batch(method.objective)  # type: ignore[arg-type]

    def step(plan: str) -> None:
        method.zero_grad()
        backward(method, tasks, Plan.parse(plan))

    plans = {plan: partial(step, plan) for plan in ("vmap", "split", "loop")}
    seconds = timing.interleave(plans, rounds)
    return timing.compare(f"captioning, {decoder}, {how}", "meta-steps", 1, seconds, "loop")


# -- saying ----------------------------------------------------------------------------------------------


def never_ending(decoder: str) -> MAML:
    """A learner whose sentences go on to the last position, so that everybody says as many tokens."""
    method = learner(decoder, LENGTH, inner_steps=0)
    with torch.no_grad():
        method.head.embedding[EOS] = 0  # type: ignore[index,union-attr]
        method.head.embedding.mul_(3)  # type: ignore[union-attr,operator]
        method.head.norm.shift.copy_(method.head.embedding[4:].mean(0))  # type: ignore[union-attr,index]
    return method


def without_cache(prediction: TextDistribution, width: int) -> Tensor:
    """Beam search without a cache: every step computes the hidden states of the whole text so far."""
    words, word_bias = prediction.task["words"], prediction.task["word_bias"]

    def step(text: Tensor, tokens: Tensor, position: int) -> tuple[Tensor, Tensor]:
        so_far = torch.cat([text.expand(*tokens.shape, position), tokens.unsqueeze(-1)], -1)
        projected = prediction._call("project_memory", prediction.memory, prediction.present)
        hidden = prediction._call("hidden_states", projected, prediction._call("embed", words, so_far))
        last = prediction._call("norm", hidden[..., -1, :])
        return prediction._call("logits", words, word_bias, last).log_softmax(-1), so_far

    begin = torch.zeros(len(prediction.memory), 1, 0, dtype=torch.long)
    return beam_search({"text": begin, "like": prediction.memory[:, :1, :1]},
                       lambda state, tokens, position: _with(state, *step(state["text"], tokens, position)),
                       width, LENGTH, (PAD, BOS, 3))  # fmt: skip


def _with(state: dict[str, Tensor], logs: Tensor, text: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    return logs, {"text": text, "like": state["like"].expand(*text.shape[:2], 1)}


class Plain(nn.Module):
    """`torch.nn.TransformerDecoder` of the same size, said greedily as its users do: the mask, and all told again."""

    def __init__(self, layers: int = 2, heads: int = 4):
        super().__init__()
        layer = nn.TransformerDecoderLayer(DIM, heads, 2 * DIM, 0.0, "gelu", batch_first=True, norm_first=True)
        self.decoder, self.embedding = nn.TransformerDecoder(layer, layers, nn.LayerNorm(DIM)), nn.Embedding(154, DIM)
        self.positions = nn.Parameter(0.02 * torch.randn(LENGTH, DIM))

    def forward(self, memory: Tensor) -> Tensor:
        written = torch.full((len(memory), 1), BOS)
        for _ in range(LENGTH - 1):
            n = written.shape[1]
            mask = nn.Transformer.generate_square_subsequent_mask(n)
            states = self.decoder(
                self.embedding(written) + self.positions[:n], memory, tgt_mask=mask, tgt_is_causal=True
            )
            scores = states[:, -1] @ self.embedding.weight.mT
            written = torch.cat([written, scores[:, 4:].argmax(-1, keepdim=True) + 4], -1)
        return written[:, 1:]


def saying(decoder: str, width: int, rounds: int) -> list[dict]:
    """Records of saying the query rows of every task."""
    method = never_ending(decoder)
    tasks = batch(method.objective, QUERIES)  # type: ignore[arg-type]
    with torch.no_grad():
        states = [method.adapt(tasks.support.task(t)) for t in range(TASKS)]
        heads = [{n.removeprefix("head."): p for n, p in state.items() if n.startswith("head.")} for state in states]
        memories = [method.network.memory(tasks.query.task(t)) for t in range(TASKS)]
    stacked = {n: torch.stack([head[n] for head in heads]) for n in heads[0]}
    memory, here = (torch.stack(parts) for parts in zip(*memories, strict=True))
    predict = method.head.predict

    @torch.no_grad()
    def at_once() -> Tensor:
        return vmap(lambda head, m, h: predict(head, (m, h)).decode(width, LENGTH))(stacked, memory, here)

    @torch.no_grad()
    def each(say: Callable[[TextDistribution], Tensor]) -> Tensor:
        return torch.stack([say(predict(head, own)) for head, own in zip(heads, memories, strict=True)])

    kept = partial(each, lambda prediction: prediction.decode(width, LENGTH))
    again = partial(each, lambda prediction: without_cache(prediction, width))
    if not (torch.equal(at_once(), kept()) and torch.equal(kept(), again())):
        raise SystemExit(f"{decoder}, beam {width}: not everybody says the same: nothing to compare")
    count = int((kept() != PAD).sum())
    contenders: dict[str, Callable[[], object]] = {
        "all tasks at once (vmap)": at_once, "task by task": kept, "task by task, no cache": again,
    }  # fmt: skip
    if decoder == "transformer" and width == 1:
        plain = Plain().eval()
        contenders["torch.nn.TransformerDecoder, greedy loop"] = torch.no_grad()(
            lambda: [plain(m) for m, _ in memories]
        )
    seconds = timing.interleave(contenders, rounds)
    title = f"generating, {decoder}, {f'beam of {width}' if width > 1 else 'greedy'}"
    return timing.compare(title, "tokens", count, seconds, "task by task, no cache")


def main() -> None:
    args = timing.arguments(__doc__, rounds=7).parse_args()
    records = [r for d in ("transformer", "gru", "ctc") for how in HOW for r in steps(d, how, args.rounds)]
    records += [r for d in ("transformer", "gru") for width in (1, WIDTH) for r in saying(d, width, args.rounds)]
    timing.report(args, records, ("omnishot",))


if __name__ == "__main__":
    main()
