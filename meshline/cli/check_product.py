"""`meshline check product OLD [NEW]`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things


@checking
def product(
    old: Annotated[str, typer.Argument(help="The product spec as it is; without NEW, as it is to be; or -.", metavar="OLD")],
    new: Annotated[str | None, typer.Argument(help="The product spec as it is to be.", show_default=False, metavar="NEW")] = None,
) -> Things:
    """Judge a change of a product spec. One file is compared with the product that the graph knows."""
    from meshline.cli.check_files import versions

    return Things([versions("product", old, new)], against_graph=new is None)
