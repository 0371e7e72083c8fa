"""The bench: what wisp promises, measured.

Each module with a ``main`` is one command, ``wisp bench NAME`` or ``python -m wisp.bench.NAME``, and most write one
folder of results: rows (JSON, one a line), meta.json (versions, hardware, command) and summary.md.

    run        wisp against JPEG, WebP, AVIF, JPEG XL and placeholders at equal bytes
    report     one HTML page of what run measured
    budgets    is ``size=N`` kept, and is it used
    speed      times and peak memory, beside the peers
    lattice    periodic patterns in what is left after decoding
    damage     what one wrong or missing byte does

Nothing imports this room. It uses wisp through its public interface, as a stranger would.
The columns are defined in results/FIELDS.md.
"""
