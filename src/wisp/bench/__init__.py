"""The bench: what wisp promises, measured.

Each module with a ``main`` is one command, ``python -m wisp.bench.NAME``, and writes one folder of
results: rows (JSON, one a line), meta.json (versions, hardware, command) and summary.md.

    kodak      wisp against JPEG, WebP and AVIF at equal bytes
    budgets    is ``size=N`` kept, and is it used
    speed      times and peak memory
    lattice    periodic patterns in what is left after decoding
    damage     what one wrong or missing byte does

Nothing imports this room. It uses wisp through its public interface, as a stranger would.
The columns are defined in results/FIELDS.md.
"""
