/**
 * What can be asked of the lane about application licences, and what it answers.
 */

import type { Application, ApplicationSection, FeatureName } from './applications.ts';

/** Loads sections for an instance, all or none; one that has a name which is loaded replaces it. */
export interface LoadApplication {
  readonly op: 'load-application';
  readonly instance: string;
  /** Checked by the limits of the format, each name once. */
  readonly sections: readonly ApplicationSection[];
  readonly actor: string;
}

/** Takes a loaded section away; who holds units of it keeps them until he gives them back or goes. */
export interface RemoveApplication {
  readonly op: 'remove-application';
  readonly instance: string;
  readonly name: string;
  readonly actor: string;
}

/** For whom units are held: a login, with which they go; or a user, with whose last connection on the instance. */
export type Holder = { readonly login: string } | { readonly user: string };

/** Takes one unit of each feature for a user, all or none. */
export interface TakeApplication {
  readonly op: 'take-application';
  readonly instance: string;
  readonly holder: Holder;
  /** A feature that is named twice is taken twice. */
  readonly features: readonly FeatureName[];
  /** A client-made UUID, by which a retry is told; null when it cannot be repeated. */
  readonly id: string | null;
  /** A hash of the request's body. */
  readonly print: number;
  readonly actor: string;
}

/** Gives back one take of each feature. */
export interface ReturnApplication {
  readonly op: 'return-application';
  readonly instance: string;
  readonly holder: Holder;
  /** Null gives back everything that the holder has taken. */
  readonly features: readonly FeatureName[] | null;
  readonly id: string | null;
  readonly print: number;
  readonly actor: string;
}

export type ApplicationOperation = LoadApplication | RemoveApplication | TakeApplication | ReturnApplication;

/** A feature as a take or a return leaves it. */
export interface HeldFeature extends FeatureName {
  /** How often this user holds it now, over all his logins that are counted together (`Count`). */
  readonly count: number;
  /** How often this holder has it now. */
  readonly held: number;
  /** Users who hold it now. */
  readonly used: number;
  /** The units it has; null when the section is not licensed any more. */
  readonly units: number | null;
  /** Of a return: whether anything was held, and so given back (`Released`). */
  readonly released: boolean;
}

/** What a take or a return came to. */
export interface HoldingsView {
  readonly instance: string;
  /** Null when it is held for the user himself. */
  readonly login: string | null;
  readonly userId: string;
  readonly features: readonly HeldFeature[];
  /** Null when nothing had to be journalled. */
  readonly decision: string | null;
  readonly atMs: number;
}

export type ApplicationAnswer =
  | {
      readonly is: 'applications';
      readonly applications: readonly Application[];
      /** Whether each of them replaced another, was there already, or is new. */
      readonly outcomes: readonly ('loaded' | 'replaced' | 'present')[];
    }
  | { readonly is: 'held'; readonly holdings: HoldingsView; readonly repeated: boolean };

/** Who holds a feature, as a refusal names him. */
export interface NamedHolder {
  readonly userId: string;
  /** How often he has it. */
  readonly count: number;
}

/** What a refusal says of the feature that was exhausted. */
export interface Exhausted extends FeatureName {
  /** The key across which it is counted; null when it is counted on the instance alone. */
  readonly sharedBy: string | null;
  /** At most twenty of its holders. */
  readonly holders: readonly NamedHolder[];
  /** How many users hold it. */
  readonly holdersCount: number;
}
