"""`python -m leadscore` is `leadscore`."""

from leadscore.cli import main

main()
