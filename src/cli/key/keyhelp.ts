/** The help texts of `lictor key`. */

const TRUST_OPTIONS = `  --trusted LIST     trusted signing keys, id:publickey, several with commas between
  --revoked LIST     revoked signing key IDs and key IDs
  --time-zone ZONE   the zone in which the key's days end (default UTC)
`;

/** By command; `overview` is that of `lictor key` itself. */
export const KEY_HELP = {
  overview: `lictor key: make signing keys; sign, show and verify key files and application licences. Needs no server.

  lictor key generate --id ID --out FILE                  make a signing key
  lictor key sign FILE --signing-key FILE [--out FILE]    sign a key file or an application licence
  lictor key inspect FILE [--trusted LIST] [--json]       show what is in it
  lictor key verify FILE --trusted LIST                   would a server accept it now?

A file with [ConfigFile] and [License] is a key file; one with neither is an application licence, of which every
section is signed by itself.

lictor key COMMAND --help tells more. Exit status: 0 done, 1 the key is not in order, 2 wrong use.

From nothing to a key that a server accepts:

  lictor key generate --id acme-2026 --out acme-2026.pem
  lictor key sign order-100200301.ini --signing-key acme-2026.pem --out lictor.key
  lictor key verify lictor.key --trusted "acme-2026:…"
`,
  generate: `lictor key generate --id ID --out FILE

Makes an Ed25519 signing key. The private key is written to FILE (mode 0600; an existing file is never
overwritten), and the line for the servers' configuration is printed.

  --id ID            the name under which it is trusted: 1 to 32 characters of a-z, 0-9 and the hyphen
  --out FILE         where the private key goes

Example:

  lictor key generate --id acme-2026 --out acme-2026.pem
`,
  sign: `lictor key sign FILE --signing-key FILE [--out FILE] [--force]

Signs a key file: checks its fields and sets AuthorizationKey. Comments and line ends stay as they are.
Of an application licence it signs every section.

  --signing-key FILE the private key, as lictor key generate writes it
  --id ID            the signing key ID, if the private key file does not name it
  --out FILE         where the signed key goes (default: standard output)
  --section NAME     sign only this section of an application licence
  --force            overwrite --out, and replace an AuthorizationKey that is there

Example: a key for 25 concurrent users on any number of instances

  [ConfigFile]
  FileType=Lictor License 1
  [License]
  CustomerName=Example Clinic
  OrderNumber=100200301
  ExpirationDate=12/31/2027
  Product=Example Server
  LicenseType=Concurrent User
  Server=Multi
  AuthorizedUnits=25

  lictor key sign order.ini --signing-key acme-2026.pem --out lictor.key

Example: an application licence for 50 users

  [BestLab]
  Lab Users=50

  lictor key sign bestlab.ini --signing-key acme-2026.pem --out bestlab-signed.ini
`,
  inspect: `lictor key inspect FILE [--trusted LIST] [--revoked LIST] [--time-zone ZONE] [--json]

Shows what is in a key file, and its state if it is accepted; of an application licence its sections, which of
their features are counted, and who signed them. Exit status 1 if the file is not in order.

${TRUST_OPTIONS}  --section NAME     show only this section of an application licence
  --json             as JSON, for programs

Examples:

  lictor key inspect lictor.key
  lictor key inspect lictor.key --trusted "$LICTOR_TRUSTED_KEYS" --json
`,
  verify: `lictor key verify FILE --trusted LIST [--revoked LIST] [--time-zone ZONE]

Tells whether a server with these trusted keys would accept the key and count under it now. Exit status 0 if
so, 1 if not, with the reason: altered, signed by somebody else, revoked, expired, not valid yet. Of an application
licence: whether every section is signed by one of these keys and unaltered.

${TRUST_OPTIONS}  --section NAME     only this section of an application licence

Example:

  lictor key verify lictor.key --trusted "acme-2026:…"
`,
} as const;
