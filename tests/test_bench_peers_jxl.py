"""JPEG XL: its dial of two ranges, searched against every step."""

from __future__ import annotations

from peer_pictures import peer, photo
from PIL import Image

from wisp.bench.codec import Encoded, Unreachable
from wisp.bench.peers import jxl
from wisp.bench.peers.jxl import FIRST_WHOLE_STEP, LAST_STEP, STEPS_PER_QUALITY

PICTURE = photo(96, 64)


def num_bytes(image: Image.Image, step: int) -> int:
    """Size of the file at a step of the dial."""
    return len(jxl._encode(image, step).data)


def step_of(found: Encoded) -> int:
    return round(STEPS_PER_QUALITY * float(found.setting.removeprefix("quality=")))


def test_the_version_says_what_decides_the_bytes() -> None:
    version = peer("jxl").version
    assert version.startswith("pillow-jxl-plugin 1.")
    assert "effort 7" in version
    assert "tenths" in version


def test_the_largest_file_is_a_lossy_one() -> None:
    found = peer("jxl").fit(PICTURE, 10**6)
    assert isinstance(found, Encoded)
    assert FIRST_WHOLE_STEP <= step_of(found) <= LAST_STEP
    assert found.data_num_bytes == num_bytes(PICTURE, step_of(found))
    assert found.decoded.tobytes() != PICTURE.tobytes()


def test_libjxl_begins_to_code_the_whole_picture_where_we_say() -> None:
    peer("jxl")
    image = photo(256, 192)
    two_before, before, there, after = (
        num_bytes(image, step) for step in range(FIRST_WHOLE_STEP - 2, FIRST_WHOLE_STEP + 2)
    )
    assert there < 0.97 * before
    assert abs(two_before - before) < 0.02 * before
    assert abs(after - there) < 0.02 * there


def test_the_whole_picture_is_preferred_to_libjxls_half() -> None:
    codec = peer("jxl")
    smallest_whole = min(num_bytes(PICTURE, step) for step in range(FIRST_WHOLE_STEP, FIRST_WHOLE_STEP + 40))
    roomy, narrow = codec.fit(PICTURE, smallest_whole + 60), codec.fit(PICTURE, smallest_whole - 60)
    assert isinstance(roomy, Encoded)
    assert isinstance(narrow, Encoded)
    assert step_of(narrow) < FIRST_WHOLE_STEP <= step_of(roomy)
    assert narrow.data_num_bytes <= smallest_whole - 60
    refusal = codec.fit(PICTURE, 20)
    assert isinstance(refusal, Unreachable)
    assert refusal.smallest_num_bytes <= num_bytes(PICTURE, 0)


def test_search_against_every_step() -> None:
    codec = peer("jxl")
    picture = photo(64, 48)
    steps = range(FIRST_WHOLE_STEP, 600)
    sizes = {step: num_bytes(picture, step) for step in steps}
    shares = []
    for budget in range(sizes[steps[0]] + 50, sizes[steps[-1]], 29):
        found = codec.fit(picture, budget)
        assert isinstance(found, Encoded)
        assert found.data_num_bytes == num_bytes(picture, step_of(found)) <= budget
        shares.append(found.data_num_bytes / max(size for size in sizes.values() if size <= budget))
    # Sizes rise and fall by some per cent from step to step on so small a picture, under 1 % on a photograph.
    assert min(shares) > 0.9
    assert sum(shares) / len(shares) > 0.99
