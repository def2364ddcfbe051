/**
 * What the journal says of application licences. Members of format 3; like all events they are outcomes.
 */

import type { Application } from './applications.ts';

/** A section was loaded for an instance, in place of one of its name: its whole record. */
export interface ApplicationLoaded {
  readonly type: 'application-loaded';
  readonly application: Application;
  readonly by: number;
}

/** A loaded section was taken away. What is held of it stays held until it is given back. */
export interface ApplicationRemoved {
  readonly type: 'application-removed';
  readonly instance: string;
  readonly application: string;
  readonly by: number;
}

/** A feature as a take or a return leaves it. */
export interface HeldUnits {
  readonly application: string;
  readonly feature: string;
  /** The key across which it is counted; left out when it is counted on the instance alone. */
  readonly key?: string;
  /** How often this holder has it. */
  readonly held: number;
  /** How often its user has it, over all that is counted together. */
  readonly count: number;
  /** How many users hold it. */
  readonly used: number;
  /** How many units it has; left out when its section is gone. */
  readonly units?: number;
  /** Of a return: the holder did not have it, so that nothing changed. */
  readonly missing?: true;
  /** Its section was loaded, and is counted across the key all the same; see `MovedUnits`. */
  readonly loaded?: true;
}

interface Held {
  readonly instance: string;
  /** The login that holds it; left out when it is held for the user himself. */
  readonly login?: string;
  readonly user: string;
  readonly features: readonly HeldUnits[];
  /** The client's ID of the request, and the hash of its body, where it can be repeated. */
  readonly id?: string;
  readonly print?: number;
  readonly by: number;
}

/** Units of applications were taken for a user. */
export interface Taken extends Held {
  readonly type: 'taken';
}

/** Units of applications were given back. What goes with a login or a user has no event of its own. */
export interface Returned extends Held {
  readonly type: 'returned';
}

/** What an instance holds is counted elsewhere, because it took another key. */
export interface HoldingsMoved {
  readonly type: 'holdings-moved';
  readonly instance: string;
  readonly features: readonly MovedUnits[];
  readonly by: number;
}

/** A feature that is counted elsewhere from now on. */
export interface MovedUnits {
  readonly application: string;
  readonly feature: string;
  /** The key across which it was counted; null for the instance. */
  readonly from: string | null;
  /** The same afterwards; when it is the same, only the peak begins anew. */
  readonly to: string | null;
  /** Users who hold it in either afterwards. */
  readonly usedFrom: number;
  readonly usedTo: number;
  /**
   * Its section was loaded, and is counted across the key all the same. The counter goes with its last user then:
   * no load and no removal on one of the instances could say that it is over.
   */
  readonly loaded?: true;
}

export type ApplicationEvent = ApplicationLoaded | ApplicationRemoved | Taken | Returned | HoldingsMoved;
