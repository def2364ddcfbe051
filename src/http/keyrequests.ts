/**
 * How key files are sent: as text or as bytes, with the terms that their licensee states for foreign ones.
 */

import { type Static, Type } from 'typebox';
import { KEY_FIELD_LIMITS } from '../domain/keys/keyfields.ts';
import { fieldFault } from './answers.ts';

/** The most bytes of a body with a key file: 64 KiB of file, as base64 or with every character escaped. */
export const KEY_BODY_BYTES_MAX = 524_288;
const TEXT_LENGTH_MAX = 128;

const Count = (description: string) =>
  Type.Integer({ minimum: 1, maximum: KEY_FIELD_LIMITS.unitsMax, description });
const Text = (description: string) => Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, description });

const Stated = Type.Object(
  {
    units: Count('The units that were bought.'),
    unitsEnforced: Type.Optional(Count('The units beyond which logins are refused; at least `units`.')),
    cores: Type.Optional(Count('The cores that were bought.')),
    licenseType: Text('For instance `concurrent-user`.'),
    server: Type.Enum(['single', 'multi'], { type: 'string' }),
    product: Type.Optional(Text('The product.')),
    features: Type.Optional(
      Type.Array(Text('A feature by name or number.'), { maxItems: KEY_FIELD_LIMITS.featuresMax }),
    ),
    versionFrom: Type.Optional(Text('The first version it is good for.')),
    versionTo: Type.Optional(Text('The last version it is good for, inclusive by prefix.')),
  },
  {
    additionalProperties: false,
    description:
      'The terms of a key that nobody here can verify, as its licensee states them. A signed key has them in its file.',
  },
);

/** A key file, and what is stated of it. */
export const KeyFileBody = Type.Object(
  {
    file: Type.Optional(Type.String({ description: 'The content of the key file as text.' })),
    fileBase64: Type.Optional(
      Type.String({
        description: 'Or its bytes in base64, when they are not UTF-8 or must stay as they are.',
      }),
    ),
    stated: Type.Optional(Stated),
  },
  { additionalProperties: false },
);

/** A key to look at, and where it is to be used. */
export const InspectBody = Type.Object(
  {
    ...KeyFileBody.properties,
    key: Type.Optional(Text('Or the ID of a key that is installed, in place of a file.')),
    instance: Type.Optional(Text('The instance on which it is to be activated.')),
  },
  { additionalProperties: false },
);

/**
 * The bytes of the file. A text as it comes in JSON is UTF-8; whoever has other bytes sends them as base64.
 *
 * @throws LicenseError `malformed-request` when there is not exactly one file, or it is not base64.
 */
export function bytesOf({ file, fileBase64 }: Static<typeof KeyFileBody>): Uint8Array {
  if ((file === undefined) === (fileBase64 === undefined)) {
    throw fieldFault('', 'must have either file or fileBase64');
  }
  if (file !== undefined) return Buffer.from(file, 'utf8');
  const bytes = Buffer.from(fileBase64!, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== fileBase64!.replace(/=+$/, '')) {
    throw fieldFault('/fileBase64', 'is not base64');
  }
  return bytes;
}
