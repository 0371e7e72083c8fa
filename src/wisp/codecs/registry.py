"""Models by number. A number is written into every file: it is given once and never used again."""

from __future__ import annotations

from dataclasses import dataclass

from wisp.errors import UnknownModel


@dataclass(frozen=True)
class ModelEntry:
    """One registered model: the number that files carry, the bundle's name, and the codec that runs it."""

    number: int
    name: str
    codec: str


ENTRIES = (
    # number 0..14 costs nothing in a file, 15..254 a byte
    ModelEntry(8, "wisp_small", "token_pyramid"),
    ModelEntry(2, "pq_mim", "token_pyramid"),
    ModelEntry(3, "control_gic", "token_pyramid"),
    ModelEntry(5, "vae_gan", "latent_grid"),
    ModelEntry(6, "gan_inversion", "latent_vector"),
)

# Numbers whose models are gone, which until 1.0 may happen: what they were, and what can be done.
WITHDRAWN = {
    0: "weights of wisp_small before the first, withdrawn; use the commits of 2026-11-21 before model 1",
    1: "the first weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-21",
    4: "the second weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-22 before model 7",
    7: "the third weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-22 before model 8",
}

DEFAULT_MODEL = "wisp_small"


def entry_by_number(number: int) -> ModelEntry:
    """The entry of a file's model number.

    Raises:
        UnknownModel: none has it.
    """
    for entry in ENTRIES:
        if entry.number == number:
            return entry
    if number in WITHDRAWN:
        raise UnknownModel(f"expected a model number that is in use, found {number}: {WITHDRAWN[number]}")
    known = ", ".join(str(e.number) for e in ENTRIES)
    raise UnknownModel(
        f"expected a model number of this version's registry ({known}), found {number}; upgrade wisp"
    )


def entry_by_name(name: str) -> ModelEntry:
    """The entry of a model's name.

    Raises:
        UnknownModel: none has it.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    known = ", ".join(e.name for e in ENTRIES)
    raise UnknownModel(
        f"expected a registered model ({known}) or a bundle's path, found {name!r}; see `wisp models`"
    )
