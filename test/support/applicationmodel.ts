/**
 * A naive model of who holds units of applications, written from the facts alone (F-70, F-74): a list of what was
 * taken by whom, gone through whenever somebody asks. It shares no arithmetic with the domain.
 */
import type { HeldUnits } from '../../src/domain/applications/applicationevents.ts';
import type { JournalEvent } from '../../src/domain/events.ts';

interface Take {
  readonly instance: string;
  readonly login: string | null;
  user: string;
  /** The key across which it is counted; null on the instance alone. */
  key: string | null;
  readonly application: string;
  readonly feature: string;
}

/** A login, as far as the model has to know it. */
export interface ModelLogin {
  readonly instance: string;
  readonly login: string;
  readonly user: string | null;
}

/** Who is where: by login, and as reported, `instance\nuser`. */
export interface Presence {
  readonly logins: readonly ModelLogin[];
  readonly reported: ReadonlySet<string>;
}

export class ApplicationModel {
  /** Every single take that was not given back. */
  takes: Take[] = [];

  /** Follows an event that has happened to the logins and reports already. */
  follow(event: JournalEvent, before: Presence, after: Presence): void {
    switch (event.type) {
      case 'taken':
      case 'returned':
        for (const feature of event.features)
          this.#set(event.instance, event.login ?? null, event.user, feature);
        return;
      case 'holdings-moved':
        for (const { application, feature, from, to } of event.features)
          for (const take of this.takes)
            if (
              take.instance === event.instance &&
              take.application === application &&
              take.feature === feature &&
              take.key === from
            )
              take.key = to;
        return;
    }
    if (this.takes.length === 0) return;
    if (event.type === 'identified')
      for (const take of this.takes)
        if (take.instance === event.instance && take.login === event.login) take.user = event.user;
    const isIn = ({ instance, login }: Take) =>
      after.logins.some((one) => one.instance === instance && one.login === login);
    this.takes = this.takes.filter((take) => take.login === null || isIn(take));
    const isThere = ({ instance, user }: Take) =>
      after.reported.has(`${instance}\n${user}`) ||
      after.logins.some((one) => one.instance === instance && one.user === user);
    const wasThere = ({ instance, user }: Take) =>
      before.reported.has(`${instance}\n${user}`) ||
      before.logins.some((one) => one.instance === instance && one.user === user);
    this.takes = this.takes.filter((take) => {
      if (take.login !== null || isThere(take)) return true;
      // An instance that takes another key says anew who is there; until then nobody is given up.
      if (event.type === 'unreported' && event.instance === take.instance) return event.holdingsStay === true;
      const saysWhole = event.type === 'reported' && event.dropped !== undefined;
      if (saysWhole && event.instance === take.instance) return false;
      if (event.type === 'reported' && event.instance === take.instance)
        return !event.rows.some(([user, count]) => user === take.user && count === 0);
      return !wasThere(take) || !this.#lostLogin(take, before, after);
    });
  }

  #lostLogin({ instance, user }: Take, before: Presence, after: Presence): boolean {
    const count = ({ logins }: Presence) =>
      logins.filter((one) => one.instance === instance && one.user === user).length;
    return count(after) < count(before);
  }

  #set(instance: string, login: string | null, user: string, state: HeldUnits): void {
    const { application, feature, key = null, held, missing } = state;
    if (missing) return;
    const isSame = (take: Take) =>
      take.instance === instance &&
      take.login === login &&
      (login !== null || take.user === user) &&
      take.key === key &&
      take.application === application &&
      take.feature === feature;
    this.takes = this.takes.filter((take) => !isSame(take));
    for (let count = 0; count < held; count += 1)
      this.takes.push({ instance, login, user, key, application, feature });
  }

  /** Who holds a feature where it is counted, with how often he took it. */
  users(where: { instance: string; key: string | null }, application: string, feature: string) {
    const users = new Map<string, number>();
    for (const take of this.takes) {
      const isCounted = where.key === null ? take.instance === where.instance : true;
      if (
        !isCounted ||
        take.key !== where.key ||
        take.application !== application ||
        take.feature !== feature
      )
        continue;
      users.set(take.user, (users.get(take.user) ?? 0) + 1);
    }
    return users;
  }
}
