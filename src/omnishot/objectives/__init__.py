"""Objectives, one a file: the kind of thing predicted, its loss, its metrics, how it decodes."""

from omnishot.core.registry import Registry

OBJECTIVES = Registry(
    "objective",
    {
        "answer": "omnishot.objectives.answer:Answer",
        "caption": "omnishot.objectives.caption:Caption",
        "classify": "omnishot.objectives.classify:Classify",
        "match": "omnishot.objectives.match:Match",
        "relate": "omnishot.objectives.relate:Relate",
        "regress": "omnishot.objectives.regress:Regress",
        "tag": "omnishot.objectives.tag:Tag",
        "transcribe": "omnishot.objectives.transcribe:Transcribe",
    },
    base="omnishot.objectives.base:Objective",
    named="name",
)
