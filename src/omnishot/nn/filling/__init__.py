"""Fillings, one a file: what stands for the embedding of an input that a row lacks. Adding one is a file and a line."""

from omnishot.registry import Registry

#: Beside these, `mask`: nothing stands for it, and the fusion leaves the input out.
FILLINGS = Registry(
    "filling",
    {
        "placeholder": "omnishot.nn.filling.placeholder:Placeholder",
        "impute": "omnishot.nn.filling.impute:Impute",
    },
)
MASK = "mask"
