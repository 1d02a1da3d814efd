"""`omnishot train`: meta-train a learner on a table."""

from __future__ import annotations

import argparse
from typing import Any

from omnishot.cli.output import on_terminal, plain_warnings, print_json, say
from omnishot.cli.parsing import Pairs, table_arguments, table_options

DESCRIPTION = """\
Meta-train a learner on a table and leave a run folder.

Every option of `om.train` may be given: --name value, --name=value, or --name alone for true.

Several processes, on one host or more, share the tasks of every step; the result is that of one process:
  torchrun --nproc-per-node N -m omnishot train …"""

OPTIONS = """\
training:
  --dim --tasks --queries --steps --lr --weight-decay --clip --val-every --val-episodes --patience
  --dropout --level --imputation --cross --extra-shots --schedule --warmup --rotations --skip-bad --plan
  --precision --shared --split-seed
of the learner, as `omnishot list learners` shows them:
  --inner-steps 5 --inner-lr 0.1 …
of the fusion, as `omnishot list fusions` shows them:
  --fuse.alpha gate …
of the objective, as `omnishot list objectives` shows them, and of its decoder, as `omnishot list decoders` does:
  --objective-options.standardise task --objective-options.most 20
  --objective-options.decoder gru --objective-options.beam 5 --objective-options.longest 24 …
of an input, by its name or its kind:
  --photo.size 84 --image.encoder resnet --text.max-tokens 32 …
  --photo.frozen RUN    its encoder from an earlier run, frozen: each cell is encoded once
"""


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("train", help="meta-train a learner on a table", free=True)
    parser.description, parser.epilog = DESCRIPTION, OPTIONS
    parser.add_argument("table", metavar="TABLE", help=".csv, .tsv, .jsonl or .parquet")
    parser.add_argument("--out", required=True, metavar="RUN", help="the run folder")
    table_options(parser)
    group = parser.add_argument_group("options of every training; a learner may have more")
    group.add_argument("--learner", metavar="NAME", help="see `omnishot list learners` (protonet; for numbers maml)")
    group.add_argument("--fusion", metavar="NAME", help="see `omnishot list fusions` (attention)")
    group.add_argument("--ways", metavar="N", help="classes a task, a number or a range 2-5 (5, or fewer)")
    group.add_argument("--shots", metavar="N", help="support rows a class, a number or a range 1-5 (1)")
    group.add_argument(
        "--noise", action=Pairs, metavar="INPUT=LEVEL", help="noise in training up to this level, 0…1; may be repeated"
    )
    group.add_argument(
        "--adversarial", action=Pairs, metavar="INPUT=RADIUS",
        help="adversarial training within this radius (as the --epsilon of `omnishot evaluate`); may be repeated",
    )  # fmt: skip
    group.add_argument("--augment", action=Pairs, metavar="INPUT=LEVEL", help="augmentation of images in training, 0…1")
    group.add_argument(
        "--auxiliary", action=Pairs, metavar="NAME=WEIGHT",
        help="auxiliary losses on embeddings: see `omnishot list auxiliaries`; may be repeated",
    )  # fmt: skip
    group.add_argument("--seed", metavar="N", help="of everything random (0)")
    group.add_argument("--device", help="auto, cpu, cuda, … (auto)")
    parser.add_argument(
        "--config", metavar="FILE.toml", help="options from a file; those of the command line take precedence"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in RUN")
    parser.add_argument("--progress", action=argparse.BooleanOptionalAction, help="show progress bars (on a terminal)")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")
    parser.set_defaults(func=_train)


def _train(args: argparse.Namespace) -> None:
    from omnishot.core.distributed import join
    from omnishot.training.train import train

    named = {
        n: getattr(args, n)
        for n in (
            "learner",
            "fusion",
            "ways",
            "shots",
            "noise",
            "adversarial",
            "augment",
            "auxiliary",
            "seed",
            "device",
        )
    }
    options = {name: value for name, value in named.items() if value is not None} | args.options
    with plain_warnings():
        run = train(
            args.table,
            out=args.out,
            resume=args.resume,
            config=args.config,
            progress=on_terminal() if args.progress is None else args.progress,
            **table_arguments(args),
            **options,
        )
    if join().rank:
        return
    summary = run.summary()
    if args.json:
        print_json(summary)
    if tuned := ", ".join(f"{name} {value:.3g}" for name, value in summary["tuned"].items()):
        say(f"chosen on the validation tasks: {tuned}")
    say(f"the run is in {run.folder}; next: omnishot evaluate {run.folder}")
