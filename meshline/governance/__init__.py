"""May this change ship, who is hit, who is told: changes, rules, verdicts, waivers, policies, notices. Reads no files."""
