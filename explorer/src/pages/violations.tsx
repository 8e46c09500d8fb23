/** Violations of policies, each with its path. */
import { AssetLink, Badge, Name, PathLine, VerdictBadge } from "../parts";
import type { Violation } from "../queries/reports";

const TONES: Record<string, string> = { ERROR: "bad", WARNING: "warn" };

/** `now`: they exist already, so that their severity matters, and no verdict on a change. */
export function ViolationList({ violations, now = false }: { violations: readonly Violation[]; now?: boolean }) {
  return (
    <ul className="plain items">
      {violations.map((one) => (
        <li key={one.fingerprint}>
          <p>
            {now ? (
              <Badge tone={TONES[one.severity.toUpperCase()] ?? ""}>{one.severity.toLowerCase()}</Badge>
            ) : (
              <VerdictBadge verdict={one.verdict} />
            )}{" "}
            {one.new && <Badge tone="bad">new by this change</Badge>} <Name text={one.text} most={600} />
          </p>
          <p className="soft">
            Policy <Name text={one.policy} />
            {one.asset && (
              <>
                , <AssetLink asset={one.asset} />
              </>
            )}
          </p>
          {one.path.length > 1 && (
            <details>
              <summary>Path</summary>
              <PathLine steps={one.path} />
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}
