"""Where and how the run was made: two lines at the top of the page, everything at its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from wisp.bench.report.load import Run
from wisp.bench.report.markup import Markup, joined, tag
from wisp.bench.report.sections import section
from wisp.bench.report.wording import codec_label, metric_words


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def date_text(stamp: object) -> str:
    """A stamp of meta.json as a date for people."""
    try:
        moment = datetime.strptime(str(stamp), "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return "no date known"
    return f"{moment.day} {moment:%B %Y}"


def opening(run: Run) -> list[Markup]:
    """What was compared, when, where and by which version; then what to beware of."""
    meta = run.meta
    commit = str(meta.get("commit") or "")[:9]
    state = " and uncommitted changes" if meta.get("commit_is_clean") is False else ""
    where = [
        date_text(meta.get("date")),
        f"commit {commit}{state}" if commit else "no commit known",
        str(meta.get("cpu_model") or "processor not known"),
    ]
    lede = (
        f"{_count(len(run.images), 'picture')}, {_count(len(run.codecs), 'codec')}, "
        f"{_count(len(run.budgets), 'budget')}. Each codec gets the same number of bytes for the whole file and "
        "makes the largest file that fits; what comes out of that file is compared with the original. Names with "
        "1/2, 1/4 or 1/8: coded at that fraction of width and height and scaled back up, which is what people do today "
        "at such rates."
    )
    notes = []
    if run.num_missing > 0:
        measurements = _count(run.num_missing, "measurement")
        notes.append(f"Missing here: {measurements}; the run has not finished, or they failed.")
    if run.num_stale:
        rows = _count(run.num_stale, "row")
        notes.append(
            f"Left out: {rows} of other versions of a codec or metric, or of other budgets or pictures."
        )
    words = [tag("p", lede, class_="lede"), tag("p", " · ".join(where), class_="where")]
    return words + [tag("p", text, class_="warning") for text in notes]


def _listing(items: Mapping[str, object]) -> Markup:
    pairs = (
        joined(tag("dt", key), tag("dd", "-" if value is None else str(value)))
        for key, value in items.items()
    )
    return tag("dl", *pairs)


def _state(is_clean: object) -> str | None:
    return None if is_clean is None else "changed" if is_clean is False else "unchanged"


def making(run: Run) -> Markup:
    """All of meta.json that a reader may want."""
    meta = run.meta
    facts = {
        "Command": meta.get("command"),
        "Ended": meta.get("date"),
        "Commit": meta.get("commit"),
        "Tracked files": _state(meta.get("commit_is_clean")),
        "System": meta.get("system"),
        "Processor": meta.get("cpu_model"),
        "Cores, usable cores": f"{meta.get('cpu_cores', '-')}, {meta.get('usable_cores', '-')}",
        "Python": meta.get("python"),
    }
    missing: dict[str, object] = {codec_label(name): why for name, why in run.unavailable_codecs.items()}
    missing |= {metric_words(name).label: why for name, why in run.unavailable_metrics.items()}
    missing |= meta.get("skipped_images") or {}
    lists: dict[str, Mapping[str, object]] = {
        "Not available in this run": missing,
        "Failed measurements": {codec_label(name): text for name, text in run.failures.items()},
        "Codecs": {codec_label(name): text for name, text in meta["codecs"].items()},
        "Metrics": {metric_words(m.name).label: m.version or None for m in run.metrics},
        "Packages": meta["packages"] if isinstance(meta.get("packages"), dict) else {},
    }
    parts = [_listing(facts)]
    for heading, items in lists.items():
        if items:
            parts += [tag("h3", heading), _listing(items)]
    parts.append(tag("p", "Every column is defined in results/FIELDS.md of wisp's repository."))
    return section("making", "How it was made", *parts)
