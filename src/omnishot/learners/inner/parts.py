"""Which parameters an inner loop moves, as people say it."""

from __future__ import annotations

from omnishot.errors import UsageError, nearest
from omnishot.nn.modulation import per_channel
from omnishot.nn.network import Network

ALL, NETWORK, HEAD, LORA = "all", "network", "head", "lora"


def parts_of(network: Network) -> dict[str, list[str]]:
    """Names of the network's parameters by part.

    `encoder.NAME`  the encoder of an input, or of all inputs of a kind, with what brings it to the fusion's width.
    `encoder`       all encoders.
    `fusion`        the fusion.
    `film`          scale and shift of every channel (`omnishot.nn.modulation.per_channel`).
    """
    names = [name for name, _ in network.named_parameters()]
    parts: dict[str, list[str]] = {"encoder": []}
    for i, (name, modality) in enumerate(network.modalities.items()):
        at = network.reader[i]
        own = [n for n in names if n.startswith((f"encoders.{at}.", f"projections.{at}."))]
        for part in {f"encoder.{name}", f"encoder.{modality.kind}", "encoder"}:
            parts[part] = parts.get(part, []) + [n for n in own if n not in parts.get(part, [])]
    return parts | {"fusion": [n for n in names if n.startswith("fusion.")], "film": per_channel(network)}


def chosen(network: Network, adapt: str) -> set[str]:
    """The names of the network's parameters among the parts said, joined by commas.

    `all` is `network` and `head`; `head` and `lora`, which are not the network's, may be said too.

    Raises:
        UsageError: for an unknown part, naming the nearest, or one that has no parameters.
    """
    whole = [name for name, _ in network.named_parameters()]
    parts = parts_of(network) | {ALL: whole, NETWORK: whole}
    names: set[str] = set()
    for part in listed(adapt):
        if part in (HEAD, LORA):
            continue
        if part not in parts:
            raise UsageError(f"the network has no part {part!r} to adapt: {nearest(part, {*parts, HEAD, LORA})}")
        if not parts[part] and part != ALL:
            raise UsageError(f"part {part!r} of this network has no parameters to adapt: say another part")
        names |= set(parts[part])
    return names


def listed(adapt: str) -> list[str]:
    """`a,b` as a list."""
    return [part.strip() for part in adapt.split(",") if part.strip()]
