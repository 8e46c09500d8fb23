"""Whether a change may ship, which consumers it affects, who is notified: rules, verdicts, waivers, policies, notices. Reads no files."""
