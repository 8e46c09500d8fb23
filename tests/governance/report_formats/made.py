"""Reports made by hand, also with names that are meant to do harm."""

from __future__ import annotations

from msgspec.structs import replace

from meshline.governance.changes import SubjectKind
from meshline.governance.report import (
    Asset,
    Completeness,
    Finding,
    Hit,
    LineageChange,
    LineageSince,
    Notice,
    Report,
    Step,
    Subject,
    Violation,
    Waived,
    WaiverProblem,
)
from meshline.governance.waivers import update_verdict

LAKE = "http://lake:8181"
WHOLE = Completeness(truncated="NONE", possible_only=0, undescribed=0, stale_edges=0, provisional=0, as_of=None, revision=7)
HOSTILE = (
    "@everyone",
    "org/repo#12",
    "</details></table><script>alert(1)</script>",
    "a|b",
    "a\\|b `| c",
    "a\\\\|b",
    "`code`",
    "``` fence",
    "[click](http://evil.example/)",
    "http://evil.example/x",
    "www.evil.example",
    "![x](http://evil.example/x.png)",
    "new\nline\r\n::error::boo",
    "::stop-commands::x",
    "##[add-mask]secret",
    "%0A::error::boo",
    "bell\x07 esc\x1b[31m nul\x00 \x85\u2028",
    "\u202eright to left",
    "**bold** _it_ ~~s~~ $x$ &lt;",
    "Größe 表 🙂",
    "x" * 5_000,
    "]]>--><!--",
    "",
    " ",
    "\\",
    "\ud800 half",
)


def build_asset(kind: str, name: str, of: str = "") -> Asset:
    full = f"{LAKE}/{of}.{name}" if kind == "COLUMN" else f"{LAKE}/{name}" if kind == "DATASET" else name
    return Asset(id=f"{kind}:{full}", kind=kind, name=name, qualified_name=full)


def build_hit(name: str, *, masked: bool = False, owner: str = "team", reach: str = "DIRECT", table: str = "b.t") -> Hit:
    return Hit(
        consumer=build_asset("CONSUMER", name),
        verdict="breaking",
        reach=reach,
        distance=2,
        masked=masked,
        path=(
            Step(asset=build_asset("COLUMN", "email", "a.customers")),
            Step(asset=build_asset("COLUMN", "mail", table), edge="FLOWS_TO", masking=masked, job=build_asset("JOB", "nightly")),
            Step(asset=build_asset("CONSUMER", name), edge="CONSUMES"),
        ),
        contract="promise-v1",
        owners=(build_asset("OWNER", owner),) if owner else (),
    )


def build_finding(number: int = 1, verdict: str = "breaking", text: str = "`email` is removed", **more: object) -> Finding:
    plain = Finding(
        fingerprint=f"{number:016x}",
        rule="column-removed",
        side="reader",
        verdict=verdict,
        text=text,
        reason="Every query that reads it fails.",
        safe="Deprecate it, and remove it when no query reads it.",
        subject=Subject(kind=SubjectKind.TABLE, name=f"{LAKE}/a.customers", part=("field", "email")),
        file="contracts/customers.yaml",
        line=12,
    )
    return replace(plain, **more)


def build_report(*findings: Finding, fail_on: str = "breaking", **more: object) -> Report:
    """A report whose verdict is that of its parts."""
    plain = Report(
        verdict="",
        passed=False,
        mode="strict",
        profile="mesh",
        fail_on=fail_on,
        checked=1,
        findings=findings,
        completeness=WHOLE,
    )
    return update_verdict(replace(plain, **more))


def build_violation(number: int = 900, text: str = "PII reaches a consumer unmasked", **more: object) -> Violation:
    plain = Violation(
        fingerprint=f"{number:016x}",
        policy="pii-unmasked",
        severity="error",
        verdict="breaking",
        text=text,
        asset=build_asset("COLUMN", "mail", "b.t"),
        path=build_hit("mailer").path,
    )
    return replace(plain, **more)


def build_full_report(name: str = "mailer") -> Report:
    """A report with one of everything, in which all that has a name has this one."""
    waived = Waived(reason=name, approver=name, expires="2030-01-01")
    hits = (build_hit(name, owner=name, table=name), build_hit(f"{name}2", masked=True, owner=""))
    named = (build_asset("DATA_PRODUCT", name),)
    first = build_finding(
        1,
        text=f"`{name}` is removed",
        subject=Subject(kind=SubjectKind.CONTRACT, name=name, part=("model", name)),
        reason=name or "why",
        safe=name,
        file=name,
        hits=tuple(replace(one, contract=name, why=name) for one in hits),
        products=named,
        contracts=named,
        owners=named,
        affected={"columns": 12, "datasets": 1},
        unknown=(name,),
        gaps=(name,),
    )
    flow = LineageChange(
        change="added", start=build_asset("COLUMN", name, name), end=build_asset("COLUMN", name, name), job=build_asset("JOB", name)
    )
    return build_report(
        first,
        build_finding(2, "conditional", text=name, waived=waived),
        build_finding(3, "compatible", text=name),
        violations=(build_violation(text=name, asset=build_asset("COLUMN", name, name), policy="policy"),),
        waivers=(WaiverProblem(fingerprint="0" * 16, problem="unused", text=name, file=name, line=3),),
        notify=(
            Notice(
                recipient=build_asset("OWNER", name),
                contacts={"email": name, "contact": name},
                reason="OWNS",
                reach="DIRECT",
                why=name,
                assets=named,
                total=len(named),
            ),
        ),
        completeness=replace(WHOLE, possible_only=2, silent_on_filters=3, silent_producers=("AIRFLOW", "DBT")),
        lineage=LineageSince(since="2026-01-01T00:00:00+00:00", added=2, removed=1, flows=(flow,)),
        warnings=(name,),
    )


def build_large_report(findings: int = 10_000, hits: int = 20) -> Report:
    """More than any reader reads."""
    some = tuple(build_hit(f"consumer-{n}", owner=f"team-{n % 500}", masked=n % 3 == 0) for n in range(hits))
    verdicts = ("breaking", "conditional", "compatible")
    made = (build_finding(n, verdicts[n % 3], text=f"`column_{n}` is removed", hits=some, line=n) for n in range(findings))
    return build_report(*made, notify=tuple(_build_notice(n) for n in range(2_000)), warnings=tuple(f"warning {n}" for n in range(1_000)))


def _build_notice(number: int) -> Notice:
    owner = build_asset("OWNER", f"team-{number}")
    owned = tuple(build_asset("DATASET", f"t{n}") for n in range(9))
    return Notice(
        recipient=owner, contacts={"slack": f"#team-{number}"}, reason="OWNS", reach="DIRECT", why="owns it", assets=owned, total=9
    )
