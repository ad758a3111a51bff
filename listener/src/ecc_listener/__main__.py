"""`python -m ecc_listener` is `ecc-listener`."""

from ecc_listener.cli import main

raise SystemExit(main())
