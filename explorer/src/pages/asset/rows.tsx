/** Rows of a list of terms about an asset. */
import type { ReactNode } from "react";
import { Name, OuterLink } from "../../parts";
import type { HeadAnswer } from "../../queries/asset";

export type Asset = NonNullable<HeadAnswer["node"]>;

export function Row({ name, value }: { name: string; value: ReactNode }) {
  if (value === null || value === undefined || value === false || value === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

export const asName = (value: string | null | undefined) => value && <Name text={value} most={300} />;

export function Contact({ contact }: { contact: string }) {
  const mail = /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>,]+$/.test(contact) ? `mailto:${contact}` : contact;
  return (
    <OuterLink url={mail}>
      <Name text={contact} />
    </OuterLink>
  );
}
