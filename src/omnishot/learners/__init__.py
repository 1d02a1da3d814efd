"""Learners, one a file: what is learned across tasks. Adding one is a file and a line here."""

from omnishot.core.registry import Registry

#: What a learner's constructor is told by the table and the training rather than as an option of its own.
FROM_TABLE = ("ways", "labels")

LEARNERS = Registry(
    "learner",
    {
        "maml": "omnishot.learners.maml:MAML",
        "anil": "omnishot.learners.anil:ANIL",
        "boil": "omnishot.learners.boil:BOIL",
        "protomaml": "omnishot.learners.protomaml:ProtoMAML",
        "metasgd": "omnishot.learners.metasgd:MetaSGD",
        "reptile": "omnishot.learners.reptile:Reptile",
        "mmaml": "omnishot.learners.mmaml:MMAML",
        "imaml": "omnishot.learners.imaml:IMAML",
        "cavia": "omnishot.learners.cavia:CAVIA",
        "learned-optimizer": "omnishot.learners.learned_optimizer:LearnedOptimizer",
        "protonet": "omnishot.learners.protonet:ProtoNet",
        "siamese": "omnishot.learners.siamese:Siamese",
        "matching": "omnishot.learners.matching:Matching",
        "relation": "omnishot.learners.relation:Relation",
        "mahalanobis": "omnishot.learners.mahalanobis:Mahalanobis",
        "am3": "omnishot.learners.am3:AM3",
        "r2d2": "omnishot.learners.r2d2:R2D2",
        "cnp": "omnishot.learners.cnp:CNP",
        "incontext": "omnishot.learners.incontext:InContext",
        "hypernet": "omnishot.learners.hypernet:HyperNet",
        "archgen": "omnishot.learners.archgen:ArchGen",
        "finetune": "omnishot.learners.finetune:FineTune",
        "probe": "omnishot.learners.probe:Probe",
        "transfer": "omnishot.learners.transfer:Transfer",
        "joint": "omnishot.learners.joint:Joint",
        "scratch": "omnishot.learners.scratch:Scratch",
        "centroid": "omnishot.learners.centroid:Centroid",
        "logreg": "omnishot.learners.logreg:LogReg",
        "cca": "omnishot.learners.cca:CCA",
    },
    base="omnishot.learners.base:Learner",
    hidden=FROM_TABLE,
)
