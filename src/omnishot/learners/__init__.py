"""Learners, one a file: what is learned across tasks. Adding one is a file and a line here."""

from omnishot.registry import Registry

LEARNERS = Registry(
    "learner",
    {
        "maml": "omnishot.learners.maml:MAML",
        "anil": "omnishot.learners.anil:ANIL",
        "protonet": "omnishot.learners.protonet:ProtoNet",
        "finetune": "omnishot.learners.finetune:FineTune",
        "scratch": "omnishot.learners.scratch:Scratch",
        "centroid": "omnishot.learners.centroid:Centroid",
        "logreg": "omnishot.learners.logreg:LogReg",
    },
)
