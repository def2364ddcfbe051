/** What `lictor apply --prune` removes. */

import type { Inputs } from './applyinputs.ts';
import type { Draft, Kind } from './applyplan.ts';
import type { ApplyContent } from './applyschema.ts';

/**
 * Plans to remove what is there and not declared, of the kinds that are: tokens first, and keys once nobody works
 * under them.
 *
 * @param draft - the plan until here, with everything that is set up; it gets the removals.
 * @param content - the declaration.
 * @param inputs - what the server has.
 * @param ownToken - the ID of the token that asks, which stays; null when it is not known.
 */
export function planRemovals(
  draft: Draft,
  content: ApplyContent,
  inputs: Inputs,
  ownToken: string | null,
): void {
  const { state, keys, sections } = inputs;
  const remove = (kind: Kind, name: string, id: string, instance?: string) =>
    draft.changes.push({
      kind,
      action: 'remove',
      name,
      details: [],
      step: { do: 'remove', id, ...(instance === undefined ? {} : { instance }) },
    });
  if (content.tokens !== undefined) {
    for (const { name, id } of state.tokens) {
      if (Object.hasOwn(content.tokens, name)) continue;
      if (id === ownToken) draft.notices.push(`The token "${name}" is the one that asks, and stays.`);
      else remove('token', `${name} (${id})`, id);
    }
  }
  for (const [instance, loaded] of state.applications) {
    const declared = new Set(sections.filter((each) => each.instance === instance).map(({ name }) => name));
    for (const { name, kind } of loaded) {
      if (kind === 'loaded' && !declared.has(name))
        remove('application', `${name} on ${instance}`, name, instance);
    }
  }
  const gone = new Set<string>();
  if (content.instances !== undefined) {
    for (const name of state.instances.keys()) {
      if (Object.hasOwn(content.instances, name)) continue;
      gone.add(name);
      remove('instance', name, name);
    }
  }
  if (content.keys !== undefined) {
    const declared = new Set(keys.map(({ inspected }) => inspected.id));
    for (const [id, { trust }] of state.keys) {
      if (declared.has(id) || trust === 'evaluation') continue;
      const user = userOf(id, draft, inputs, gone);
      if (user === null) remove('key', id, id);
      else draft.notices.push(`The key ${id} stays, because the instance ${user} works under it.`);
    }
  }
  if (content.licenseServers !== undefined) {
    const declared = new Set(Object.keys(content.licenseServers).map((name) => name.toUpperCase()));
    for (const name of state.licenseServers.keys()) {
      if (!declared.has(name)) remove('license-server', name, name);
    }
  }
}

/** An instance that works under a key, or waits for it, once the plan is carried out. */
function userOf(
  id: string,
  draft: Draft,
  { state, activations }: Inputs,
  gone: ReadonlySet<string>,
): string | null {
  const added = draft.changes.find(({ step }) => step.do === 'register' && step.key === id);
  if (added !== undefined) return added.name;
  for (const [name, { key, pendingKey }] of state.instances) {
    if (gone.has(name)) continue;
    const activation = activations.get(name);
    const leaves = activation !== undefined && activation.outcome !== 'pending';
    if (activation?.selected?.id === id) return name;
    if (!leaves && (key === id || pendingKey === id)) return name;
  }
  return null;
}
