"""Fusions, one a file: from the embeddings of a row's inputs to one vector. Adding one is a file and a line here."""

from omnishot.core.registry import Registry

FUSIONS = Registry(
    "fusion",
    {
        "concat": "omnishot.nn.fusion.concat:Concat",
        "sum": "omnishot.nn.fusion.sum:Sum",
        "attention": "omnishot.nn.fusion.attention:Attention",
        "transformer": "omnishot.nn.fusion.transformer:Transformer",
        "graph": "omnishot.nn.fusion.graph:Graph",
        "lowrank": "omnishot.nn.fusion.lowrank:TensorProduct",
        "poe": "omnishot.nn.fusion.poe:ProductOfExperts",
        "mixture": "omnishot.nn.fusion.mixture:Mixture",
        "pair": "omnishot.nn.fusion.pair:Pair",
        "consensus": "omnishot.nn.fusion.consensus:Consensus",
    },
    base="omnishot.nn.fusion.base:Fusion",
)
