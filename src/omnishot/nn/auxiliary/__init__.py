"""Auxiliary objectives of meta-training, one a file: losses of the embeddings, added to the loss of the learner.

Adding one is a file and a line here.
"""

from omnishot.core.registry import Registry

AUXILIARIES = Registry(
    "auxiliary",
    {
        "infonce": "omnishot.nn.auxiliary.infonce:InfoNCE",
        "sigmoid": "omnishot.nn.auxiliary.sigmoid:Sigmoid",
        "consensus": "omnishot.nn.auxiliary.consensus:Agreement",
        "reconstruct": "omnishot.nn.auxiliary.reconstruct:Reconstruct",
        "distil": "omnishot.nn.auxiliary.distil:Distil",
        "balance": "omnishot.nn.auxiliary.balance:Balance",
    },
)
