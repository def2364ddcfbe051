/**
 * The cookie of a web session: safe unless somebody chooses otherwise.
 */

/** What the cookie is made of. What is left out is the safe choice. */
export interface CookieOptions {
  /**
   * Its name; `__Host-lictor` when left out, which browsers take over HTTPS only and from this host only, or
   * `lictor` where the other options do not allow that.
   */
  readonly name?: string | undefined;
  /** The path under which it is sent; `/` when left out. */
  readonly path?: string | undefined;
  /** The domain that it is sent to besides the host itself. */
  readonly domain?: string | undefined;
  /** `lax` when left out: other sites can link here, and do nothing else. */
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined;
  /** Whether it is sent over HTTPS only; true when left out. */
  readonly secure?: boolean | undefined;
}

/** A cookie that is ready to be used. */
export interface Cookie {
  readonly name: string;
  /** What follows its value. */
  readonly attributes: string;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]*$/;
/** Longer cookies are none of ours. */
const VALUE_LENGTH_MAX = 256;

/**
 * Completes and checks the options of a cookie.
 * @throws TypeError for what no browser would take.
 */
export function cookieOf(options: CookieOptions = {}): Cookie {
  const { path = '/', domain, sameSite = 'lax', secure = true } = options;
  const isHostOnly = secure && path === '/' && domain === undefined;
  const name = options.name ?? (isHostOnly ? '__Host-lictor' : 'lictor');
  if (!TOKEN.test(name)) throw new TypeError(`The cookie name ${JSON.stringify(name)} is not one.`);
  if (name.startsWith('__Host-') && !isHostOnly) {
    throw new TypeError(`The cookie ${name} needs secure, the path "/" and no domain; choose another name.`);
  }
  if (sameSite === 'none' && !secure) throw new TypeError('A cookie with sameSite "none" must be secure.');
  for (const text of [path, domain ?? '']) {
    if (!ATTRIBUTE.test(text))
      throw new TypeError(`The cookie attribute ${JSON.stringify(text)} is not one.`);
  }
  const attributes = [
    `Path=${path}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    'HttpOnly',
    ...(secure ? ['Secure'] : []),
    `SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`,
  ];
  return { name, attributes: attributes.join('; ') };
}

/**
 * Finds a cookie in what a browser sent.
 * @param header - the header `Cookie`.
 * @returns its value; undefined when there is none.
 */
export function readCookie(header: string | undefined, { name }: Cookie): string | undefined {
  if (header === undefined) return undefined;
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals < 0 || part.slice(0, equals).trim() !== name) continue;
    const value = part.slice(equals + 1).trim();
    return value.length > 0 && value.length <= VALUE_LENGTH_MAX ? value : undefined;
  }
  return undefined;
}

/** @returns the header `Set-Cookie` that sets it. */
export function setCookie({ name, attributes }: Cookie, value: string): string {
  return `${name}=${value}; ${attributes}`;
}

/** @returns the header `Set-Cookie` that removes it. */
export function clearCookie({ name, attributes }: Cookie): string {
  return `${name}=; ${attributes}; Max-Age=0`;
}
