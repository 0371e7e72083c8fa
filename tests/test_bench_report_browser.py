"""The report in a real browser: nothing in the console, charts and wall in place, and the controls do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bench_report_data import CODECS, METRICS, write_results
from PIL import Image

from wisp.bench.report import main

pytest.importorskip("matplotlib", reason="charts need the package matplotlib")
pytest.importorskip("bjontegaard", reason="Bjontegaard rates need the package bjontegaard")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser found: {', '.join(BROWSERS)}")

# What a person would do, and what is then to be seen, written into an element that the test reads.
ACTIONS = """
<script>
{
const seen = [];
const badge = () => document.getElementById("wall-badge").textContent;
const key = (name, type = "keydown") => document.getElementById("wall-frame")
  .dispatchEvent(new KeyboardEvent(type, { key: name, bubbles: true }));
seen.push(badge());
key("ArrowRight"); seen.push(badge());
key("ArrowUp"); seen.push(badge());
key(" "); seen.push(badge());
key(" ", "keyup"); seen.push(badge());
key("ArrowLeft"); key("ArrowLeft"); seen.push(badge());
document.querySelectorAll(".tile")[1].click(); seen.push(badge());
document.querySelector('input[name="wall-picture"][value="kodim02"]').click();
seen.push(document.querySelector("#wall-frame img").alt);
document.getElementById("wall-hold").dispatchEvent(new PointerEvent("pointerdown")); seen.push(badge());
document.getElementById("wall-hold").dispatchEvent(new PointerEvent("pointerup")); seen.push(badge());
const chip = document.querySelector(".chip");
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = () => all('.series[data-series="0"]').filter((group) => group.getClientRects().length).length;
seen.push(shown() > 0); chip.click(); seen.push(shown()); chip.click(); seen.push(shown() > 0);
const head = document.querySelectorAll(".means th button")[4];
head.click();
seen.push([...document.querySelector(".means tbody").rows].map((row) => row.cells[0].textContent).join());
head.click();
seen.push([...document.querySelector(".means tbody").rows].map((row) => row.cells[0].textContent).join());
const filter = document.getElementById("budget-filter");
filter.value = "0.1"; filter.dispatchEvent(new Event("change"));
seen.push(new Set(all("tr[data-budget]").filter((row) => !row.hidden).map((row) => row.dataset.budget)).size);
const spot = document.querySelector(".hit"); spot.dispatchEvent(new PointerEvent("pointerenter"));
seen.push(document.getElementById("note").textContent === spot.dataset.note && !document.getElementById("note").hidden);
seen.push(all("section, header").filter((part) => part.getBoundingClientRect().right > innerWidth + 1).length);
const result = document.createElement("pre"); result.id = "seen"; result.textContent = JSON.stringify(seen);
document.body.append(result);
}
</script>
"""


def browse(page: Path, *options: str) -> tuple[str, list[str]]:
    """The document after its script ran, and what was written to the console."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            f"--user-data-dir={page.parent / 'profile'}",
            *options,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_results(
        tmp_path_factory.mktemp("browser") / "kodak",
        [f"kodim{number:02}" for number in range(1, 25)],
        walls=["kodim01", "kodim02"],
    )
    assert main([str(folder)]) == 0
    return folder / "report.html"


def with_script(page: Path, name: str, script: str) -> Path:
    path = page.with_name(name)
    path.write_text(page.read_text(encoding="utf-8").replace("</body>", script + "</body>"), encoding="utf-8")
    return path


def test_it_opens_without_a_word_in_the_console(page: Path) -> None:
    document, console = browse(page, "--dump-dom")
    assert console == []
    assert document.count('<svg class="chart"') == len(METRICS) - 1
    assert document.count('class="tile"') == 1 + len(CODECS)
    assert re.search(r'<img src="data:image/webp;base64,[^"]+" alt="kodim01: wisp, 0.05 bpp">', document)
    assert document.count("cannot get that small</div>") == 1  # JPEG; kodim01 is the simplest picture


def test_a_fault_would_be_seen(page: Path) -> None:
    broken = with_script(
        page, "broken.html", '<script>undefinedThing()</script><img src="https://example.invalid/a">'
    )
    _, console = browse(broken, "--dump-dom")
    assert any("undefinedThing is not defined" in line for line in console)
    assert any("Content Security Policy" in line for line in console)


def test_the_controls_do_what_they_say(page: Path) -> None:
    document, console = browse(with_script(page, "used.html", ACTIONS), "--dump-dom", "--window-size=500,900")
    assert console == []
    seen = re.search(r'<pre id="seen">(.*?)</pre>', document)
    assert seen is not None
    assert seen[1].replace("&amp;", "&") == (
        '["wisp, 0.05 bpp","JPEG, 0.05 bpp","JPEG, 0.1 bpp","original","JPEG, 0.1 bpp","original","wisp, 0.1 bpp",'
        '"kodim02: wisp, 0.1 bpp","original","wisp, 0.1 bpp",true,0,true,'
        '"wisp,AVIF 1/2,WebP 1/4,BlurHash,JPEG,AVIF","BlurHash,WebP 1/4,AVIF 1/2,wisp,JPEG,AVIF",1,true,0]'
    )


@pytest.mark.parametrize(("scheme", "brightness"), [(0, "dark"), (1, "light")])
def test_it_follows_the_colour_scheme(page: Path, tmp_path: Path, scheme: int, brightness: str) -> None:
    shot = tmp_path / "shot.png"
    options = (f"--screenshot={shot}", "--window-size=1280,900")
    _, console = browse(page, *options, f"--blink-settings=preferredColorScheme={scheme}")
    assert console == []
    with Image.open(shot) as picture:
        assert picture.size == (1280, 900)
        corner = picture.convert("L").getpixel((2, 2))
    assert isinstance(corner, int)
    assert (corner > 128) == (brightness == "light")
