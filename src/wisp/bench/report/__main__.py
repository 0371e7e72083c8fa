"""`python -m wisp.bench.report`."""

from __future__ import annotations

from wisp.bench.report.command import main

raise SystemExit(main())
