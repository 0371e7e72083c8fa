"""Models by number. A number is written into every file: it is given once and never used again.

A model with a release name stays: every later version of wisp reads its files (docs/format.md, 9). The others serve
research and may be withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from wisp.errors import UnknownModel, UsageError


@dataclass(frozen=True)
class ModelEntry:
    """One registered model.

    Attributes:
        number: what files carry.
        name: the bundle's.
        codec: runs it.
        release: the name under which it is kept for ever, while `name` may move on to later weights; or None.
    """

    number: int
    name: str
    codec: str
    release: str | None = None


ENTRIES = (
    # number 0..14 costs nothing in a file, 15..254 a byte
    ModelEntry(14, "wisp_small", "token_pyramid", release="wisp-5"),
    ModelEntry(12, "wisp_4", "token_pyramid", release="wisp-4"),
    ModelEntry(11, "wisp_3", "token_pyramid", release="wisp-3"),
    ModelEntry(10, "wisp_2", "token_pyramid", release="wisp-2"),
    ModelEntry(9, "wisp_1", "token_pyramid", release="wisp-1"),
    ModelEntry(2, "pq_mim", "token_pyramid"),
    ModelEntry(3, "control_gic", "token_pyramid"),
    ModelEntry(5, "vae_gan", "latent_grid"),
    ModelEntry(6, "gan_inversion", "latent_vector"),
)

# Numbers whose models are gone, which happens to none with a release name: what they were, and what can be done.
WITHDRAWN = {
    0: "weights of wisp_small before the first, withdrawn; use the commits of 2026-11-21 before model 1",
    1: "the first weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-21",
    4: "the second weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-22 before model 7",
    7: "the third weights of wisp_small, withdrawn before version 1; use the commits of 2026-11-22 before model 8",
    8: "the fourth weights of wisp_small, withdrawn before wisp-1; use the commits of 2026-11-22 before model 9",
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


def release_of(number: int) -> str | None:
    """The release name of a model number, if it has one."""
    return next((entry.release for entry in ENTRIES if entry.number == number), None)


def refuse_released(number: int) -> None:
    """No other weights may have the number of a release, whose files must stay what they are.

    Raises:
        UsageError: they would.
    """
    if release := release_of(number):
        raise UsageError(
            f"expected a model number of its own, found {number}, which is {release}'s for good; "
            "give the recipe another, 128 to 254 for your own"
        )


def entry_by_name(name: str) -> ModelEntry:
    """The entry of a model's name, or of a release's.

    Raises:
        UnknownModel: none has it.
    """
    for entry in ENTRIES:
        if name in (entry.name, entry.release):
            return entry
    known = ", ".join(e.name + (f", {e.release}" if e.release else "") for e in ENTRIES)
    raise UnknownModel(
        f"expected a registered model ({known}) or a bundle's path, found {name!r}; see `wisp models`"
    )
