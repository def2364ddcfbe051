/**
 * The numbered features a key can permit (F-8; the numbers are those of `GetFeature(n)`, domain notes 2.4). A
 * key may also name features that are not on this list; they are compared by name.
 */

/** Feature names by number; the position in the list is the number. */
export const FEATURES = [
  'Web Add-on',
  'Interoperability',
  'Shadowing',
  'BI User',
  'BI Development',
  'HealthShare',
  'TrakCare',
  'IP Address Neutral',
  'Analytics Run',
  'Analyzer',
  'Architect',
  'NLP',
  'HealthShare Foundation',
  'C-Type License',
  'VR Execute',
  'ExtremeNoUserLimit',
  'VR Format',
  'VR Data Define',
  'Sharding',
  'IntegratedML',
  'InterSystems IRIS',
  'API Management',
  'Compatibility',
  'Security Waiver',
  'FHIR Repository',
  'Columnar Storage',
  'FHIR SQL Builder',
  'Foreign Tables',
  'Vector Search',
] as const;

/**
 * The name of a numbered feature.
 *
 * @param number - as in `GetFeature(n)`, from 0.
 * @returns the name, or null when no feature has this number.
 */
export function featureName(number: number): string | null {
  return FEATURES[number] ?? null;
}

/**
 * The number of a feature.
 *
 * @param name - its name in any case, with or without blanks and hyphens ("web addon" is "Web Add-on").
 * @returns the number, or null when the name is not on the numbered list.
 */
export function featureNumber(name: string): number | null {
  const wanted = canonicalFeature(name);
  const index = FEATURES.findIndex((feature) => canonicalFeature(feature) === wanted);
  return index < 0 ? null : index;
}

/**
 * The form in which features are compared: a number becomes its name, and case, blanks, hyphens and underscores
 * do not matter.
 *
 * @param nameOrNumber - a feature's name, or its number as a number or as digits.
 * @returns a string for comparison only.
 */
export function canonicalFeature(nameOrNumber: string | number): string {
  const text = String(nameOrNumber).trim();
  const named = /^\d{1,3}$/.test(text) ? (featureName(Number(text)) ?? text) : text;
  return named.toLowerCase().replace(/[\s_-]+/g, '');
}
