/**
 * The diagnosis of a deployment: what was looked at, what is the case, and how to mend it.
 */

import { Type } from 'typebox';
import { FINDING_LEVELS } from '../../domain/findings/findings.ts';
import type { Diagnoses } from '../../service/diagnosis.ts';
import { instantOf } from '../answers.ts';
import type { RoutePlugin } from '../app.ts';
import { principalOf, requirePermission } from '../auth.ts';
import { Instant, responses } from '../schemas.ts';

const Level = Type.Enum(FINDING_LEVELS, {
  type: 'string',
  description:
    '`ok`: as it should be; `note`: worth knowing; `warning`: it works, and will not for long or not under load; `fault`: what Lictor promises does not hold now.',
});

const FindingView = Type.Object({
  check: Type.String({
    description: 'What was looked at, as area and thing, such as `database.durability`.',
  }),
  level: Level,
  says: Type.String({ description: 'What is the case.' }),
  mend: Type.Optional(Type.String({ description: 'What to do.' })),
});

const DiagnosisView = Type.Object({
  at: Instant("The instant of the database's clock as of which this holds."),
  replica: Type.String({ description: 'The replica that looked.' }),
  version: Type.String({ description: 'The version of Lictor that the replica runs.' }),
  level: Level,
  findings: Type.Array(FindingView, {
    description: 'Everything that was looked at, also what is as it should be.',
  }),
});

/**
 * The diagnosis.
 * @param services.diagnoses - looks at the deployment.
 */
export function diagnosisRoutes(services: { readonly diagnoses: Diagnoses }): RoutePlugin {
  return (app, _options, done) => {
    app.get(
      '/v1/diagnosis',
      {
        config: { access: 'diagnosis.read' },
        schema: {
          operationId: 'readDiagnosis',
          summary: 'Look at the whole deployment for what is wrong',
          description:
            'Settings, durability and replication of the database, long transactions, clocks, Redis, migrations, the journal and its fold, leadership, keys, instances, licence servers and tokens, each with how to mend it. What cannot be looked at is a finding itself. A token restricted to keys or to an instance may not do this.',
          tags: ['operations'],
          response: responses({ 200: DiagnosisView }, []),
        },
      },
      async (request) => {
        // It tells of everything, so that a token must reach everything.
        requirePermission(request, 'diagnosis.read', {});
        const { atMs, findings, ...rest } = await services.diagnoses.look(principalOf(request));
        return { at: instantOf(atMs), ...rest, findings: [...findings] };
      },
    );
    done();
  };
}
