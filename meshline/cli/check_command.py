"""A command of `meshline check`: what it reads, and the options of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from meshline.cli.check_options import (
    Also,
    Asked,
    FailOn,
    FailOnName,
    Mode,
    ModeName,
    NoGraph,
    Output,
    Policies,
    Profile,
    ProfileName,
    Reported,
    Since,
    Things,
    Waivers,
)
from meshline.cli.deciding import deciding
from meshline.cli.options import Server, Store
from meshline.governance.reports.report_formats import Format


def _asked(
    *,
    mode: Mode = ModeName.STRICT,
    profile: Profile = ProfileName.MESH,
    fail_on: FailOn = FailOnName.BREAKING,
    format: Reported = Format.TEXT,  # noqa: A002 - the option's name
    output: Output = None,
    also: Also = None,
    waivers: Waivers = None,
    policies: Policies = None,
    since: Since = None,
    no_graph: NoGraph = False,
    store: Store = None,
    server: Server = None,
) -> Asked:
    return Asked(mode, profile, fail_on, format, output, tuple(also or ()), waivers, tuple(policies or ()), since, no_graph, store, server)


_SHARED = tuple(inspect.signature(_asked, eval_str=True).parameters.values())
OPTIONS = frozenset(parameter.name for parameter in _SHARED)


def checking(read: Callable[..., Things]) -> Callable[..., None]:
    """A command that judges what `read` makes of its own arguments; it has the options of all checks, too."""

    def command(**given: object) -> None:
        with deciding() as decision:
            from meshline.cli.checking import check

            asked = _asked(**{name: value for name, value in given.items() if name in OPTIONS})  # type: ignore[arg-type]
            decision.passed = check(read(**{name: value for name, value in given.items() if name not in OPTIONS}), asked)

    own = inspect.signature(read, eval_str=True).parameters.values()
    command.__signature__ = inspect.Signature([*own, *_SHARED])  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = read.__name__, read.__doc__
    return command
