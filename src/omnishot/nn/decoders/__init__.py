"""Decoders, one a file: heads that generate a text for each row from the network's memory."""

from omnishot.core.registry import Registry

DECODERS = Registry(
    "decoder",
    {
        "transformer": "omnishot.nn.decoders.transformer:Transformer",
        "gru": "omnishot.nn.decoders.gru:GRU",
        "ctc": "omnishot.nn.decoders.ctc:CTC",
    },
)
