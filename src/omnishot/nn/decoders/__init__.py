"""Decoders, one a file: heads that say a sentence about what the network has seen."""

from omnishot.core.registry import Registry

DECODERS = Registry(
    "decoder",
    {
        "transformer": "omnishot.nn.decoders.transformer:Transformer",
        "gru": "omnishot.nn.decoders.gru:GRU",
        "ctc": "omnishot.nn.decoders.ctc:CTC",
    },
)
