/** What the fields of one alternative still demand while a match is sought, scope by scope. */
import { type ElementInEvent, type EventValues, NOWHERE, type Occurrences } from "./path-tree.ts";
import type { Field } from "./pattern.ts";

/**
 * What has to be found for one field in one scope (the event, or an element of an array).
 * "nothing": it is found already, but a fitting value further in may still select an element.
 */
export interface Claim {
  readonly field: Field;
  readonly found: Occurrences;
  readonly need: "value" | "value-or-absence" | "nothing";
}

export function claimsOf(fields: readonly Field[], values: EventValues): readonly Claim[] {
  return fields.map((field) => ({
    field,
    found: values.get(field.path) ?? NOWHERE,
    need: field.absence ? "value-or-absence" : "value",
  }));
}

/** A value that stands in the scope itself, fitting or not, rules out that the field is absent. */
export function needFurtherIn(claim: Claim, fitsHere: boolean): Claim["need"] {
  if (fitsHere) return "nothing";
  return claim.need === "value-or-absence" && claim.found.values.length > 0 ? "value" : claim.need;
}

/**
 * Claims that meet in an array are decided together, all others apart. One path can lie in two
 * arrays of a scope only when the event spells it twice (`{"a.b": […], "a": {"b": […]}}`); such
 * arrays count as one, because choosing from each of them is a problem without a polynomial answer.
 */
export function groupBySharedArrays(claims: readonly Claim[]): readonly (readonly Claim[])[] {
  if (claims.length < 2) return claims.length === 0 ? [] : [claims];
  let groups: { readonly arrays: ReadonlySet<object>; readonly claims: readonly Claim[] }[] = [];
  for (const claim of claims) {
    const arrays = new Set([...claim.found.elements.keys()].map((element) => element.array));
    const touching = groups.filter((group) => [...arrays].some((array) => group.arrays.has(array)));
    const merged = {
      arrays: new Set([...touching.flatMap((group) => [...group.arrays]), ...arrays]),
      claims: [...touching.flatMap((group) => group.claims), claim],
    };
    groups = [...groups.filter((group) => !touching.includes(group)), merged];
  }
  return groups.map((group) => group.claims);
}

/** The elements in which the rarest claim that needs a value has one; without such a claim, all. */
export function elementsWorthTrying(group: readonly Claim[]): Iterable<ElementInEvent> {
  const [rarest] = group
    .filter((claim) => claim.need === "value")
    .toSorted((left, right) => left.found.elements.size - right.found.elements.size);
  return elementsOf(rarest ? [rarest] : group);
}

export function elementsOf(group: readonly Claim[]): Iterable<ElementInEvent> {
  return new Set(group.flatMap((claim) => [...claim.found.elements.keys()]));
}

export function claimsInElement(
  group: readonly Claim[],
  element: ElementInEvent,
): readonly Claim[] {
  return group.map((claim) => ({
    ...claim,
    found: claim.found.elements.get(element) ?? NOWHERE,
  }));
}
