"""Fusions, one a file: the embeddings of a row's inputs to one vector. Adding one is a file and a line here."""

from omnishot.registry import Registry

FUSIONS = Registry(
    "fusion",
    {
        "concat": "omnishot.nn.fusion.concat:Concat",
        "sum": "omnishot.nn.fusion.sum:Sum",
        "attention": "omnishot.nn.fusion.attention:Attention",
    },
)
