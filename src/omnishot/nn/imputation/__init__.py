"""Imputers, one a file: they replace the embedding of an input that a row lacks. Adding one is a file and a line."""

from omnishot.core.registry import Registry

#: Not among them, `mask`: nothing replaces it, and the fusion leaves the input out.
IMPUTERS = Registry(
    "imputer",
    {
        "placeholder": "omnishot.nn.imputation.placeholder:Placeholder",
        "impute": "omnishot.nn.imputation.impute:Impute",
    },
)
MASK = "mask"
