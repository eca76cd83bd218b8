import type { EntryPath } from './entry-paths.ts'
import type { Want } from './invariant.ts'

/** Ways to spell a host so that two readers of it disagree (threats 2.1). */

export interface Spelling {
  readonly note: string
  /** The authority as it is told, latin1. */
  readonly authority: string
  readonly want: Want
}

/** `name` is let through, `other` is not; where a port is left out, it may be the wrong one. */
export function hostSpellings(path: EntryPath, port: number): readonly Spelling[] {
  const { name, other } = path
  const [label = '', ...rest] = name.split('.')
  const tail = rest.join('.')
  return [...same(name, port), ...different().map(refused), ...ports(name, port)]

  function different(): readonly (readonly [note: string, host: string])[] {
    return [
      // Another name, which a careless comparison takes for this one.
      ['another name', other],
      ['a longer first label', `evil-${name}`],
      ['a longer first label without a sign', `not${name}`],
      ['one letter more', `x${name}`],
      ['one letter less', name.slice(1)],
      ['a longer last label', `${name}e`],
      ['the name as the beginning of another', `${name}.evil.example`],
      ['the name as the first label of another', `${name}-evil.example`],
      ['a name below it', `sub.${name}`],
      ['the name above it', tail],
      ['its first label alone', label],
      ['a star for its first label', `*.${tail}`],
      ['a star', '*'],
      ['a question mark for a letter', name.replace(/^./, '?')],
      ['any sign for its dot', name.replace('.', 'x')],
      ['twice', `${name}${name}`],
      ['twice with a dot between', `${name}.${name}`],
      ['as a list', `${name},${other}`],
      ['as a list with a blank', `${name}, ${other}`],
      ['the other first in a list', `${other},${name}`],
      // No name at all.
      ['nothing', ''],
      ['a dot', '.'],
      ['an empty first label', `.${name}`],
      ['an empty label between', name.replace('.', '..')],
      ['two dots behind it', `${name}..`],
      ['a leading dash', `-${name}`],
      ['a dash at the end of a label', `${label}-.${tail}`],
      ['a label of 64', `${'a'.repeat(64)}.${name}`],
      ['more than 253', `${'a.'.repeat(125)}${name}`],
      ['very long', `${'a'.repeat(4000)}.${name}`],
      ['in brackets (CVE-2022-29188)', `[${name}]`],
      ['behind an opening bracket', `[${name}`],
      ['before a closing bracket', `${name}]`],
      ['in brackets with an address behind', `[::1]${name}`],
      ['in quotes', `"${name}"`],
      ['in parentheses', `(${name})`],
      ['in angle brackets', `<${name}>`],
      ['with a zone', `${name}%eth0`],
      ['as the zone of a mapped address', `[::ffff:127.0.0.1%x.${name}]`],
      ['as the zone of a mapped address, without brackets', `::ffff:127.0.0.1%x.${name}`],
      // What ends a string or a line for somebody.
      ['a NUL behind another name', `${other}\0.${name}`],
      ['a NUL behind it', `${name}\0.${other}`],
      ['a NUL at its end', `${name}\0`],
      ['a NUL inside', name.replace('.', '\0.')],
      ['CR LF and another line', `${name}\r\n${other} `],
      ['LF behind another name', `${other}\n${name}`],
      ['CR behind it', `${name}\r${other}`],
      ['a vertical tab', `${name}\x0b`],
      ['a form feed', `${name}\x0c`],
      ['a control character', `${name}\x01`],
      ['DEL', `${name}\x7f`],
      ['a blank inside', name.replace('.', ' .')],
      ['a tab inside', name.replace('.', '\t.')],
      ['another name behind a blank', `${name} ${other}`],
      ['a no-break space', `${name}\xa0`],
      // Encodings that somebody undoes.
      ['a percent-encoded letter', name.replace(/^./, (letter) => percent(letter))],
      ['a percent-encoded dot', name.replace('.', '%2e')],
      ['a percent-encoded NUL', `${name}%00`],
      ['percent-encoded throughout', name.split('').map(percent).join('')],
      ['a percent-encoded blank', `${name}%20`],
      ['a percent-encoded slash', `${name}%2f.${other}`],
      ['twice percent-encoded', name.replace('.', '%252e')],
      ['a backslash escape', name.replace('.', '\\.')],
      ['a DNS escape', name.replace('.', '\\046')],
      ['a Latin-1 letter', name.replace(/[aeo]/, '\xe9')],
      ['an ideographic full stop', utf8(name.replace('.', '\u3002'))],
      ['a fullwidth full stop', utf8(name.replace('.', '\uff0e'))],
      ['a halfwidth ideographic full stop', utf8(name.replace('.', '\uff61'))],
      ['a fullwidth letter', utf8(name.replace(/^./, (letter) => fullwidth(letter)))],
      ['fullwidth throughout', utf8(name.split('').map(fullwidth).join(''))],
      ['a circled letter', utf8(name.replace(/^[a-z]/, (letter) => circled(letter)))],
      ['a Cyrillic letter that looks like it', utf8(name.replace(/[aeo]/, '\u0430'))],
      ['a Kelvin sign', utf8(name.replace(/[a-z]/, '\u212a'))],
      ['a long s', utf8(name.replace(/[a-z]/, '\u017f'))],
      ['a zero width space', utf8(`${name}\u200b`)],
      ['a soft hyphen', utf8(name.replace('.', '\u00ad.'))],
      ['a right-to-left override', utf8(`\u202e${name.split('').toReversed().join('')}`)],
      ['a byte order mark', utf8(`\ufeff${name}`)],
      ['the A-label of something that looks like it', `xn--${label}-qmf.${tail}`],
      ['an overlong dot', name.replace('.', '\xc0\xae')],
      // What a URL has beside its host.
      ['userinfo of the name', `${name}@${other}`],
      ['userinfo of the other', `${other}@${name}`],
      ['userinfo with a password', `user:secret@${name}`],
      ['an empty userinfo', `@${name}`],
      ['userinfo that looks like a port', `${name}:${port}@${other}`],
      ['a fragment and userinfo', `${name}:${port}#@${other}`],
      ['a fragment, a backslash and userinfo', `${name}:${port}#\\@${other}`],
      ['a backslash and userinfo', `${name}\\@${other}`],
      ['a backslash', `${name}\\.${other}`],
      ['a semicolon', `${name};${other}`],
      ['a colon without a port before another', `${name}:${other}`],
      ['an ampersand', `${name}&${other}`],
      ['an equals sign', `${name}=${other}`],
      ['a plus', `${name}+`],
      ['a dollar sign', `$${name}`],
      ['a caret', `^${name}`],
      ['a pipe', `${name}|${other}`],
      ['a brace', `{${name}}`],
      ['a grave accent', `${name}\``],
      ['a tilde', `~${name}`],
      ['an apostrophe', `'${name}'`],
      ['an exclamation mark', `${name}!`],
    ]
  }

  function refused([note, host]: readonly [note: string, host: string]): Spelling {
    return { note, authority: `${host}:${port}`, want: 'refused' }
  }
}

/** One name: letters of any case, and at most one dot behind it (CVE-2022-24825). */
function same(name: string, port: number): readonly Spelling[] {
  const hosts = [
    ['as it is', name],
    ['in capitals', name.toUpperCase()],
    ['with one capital', name.replace(/^./, (letter) => letter.toUpperCase())],
    ['with a dot behind it', `${name}.`],
    ['in capitals with a dot behind it', `${name.toUpperCase()}.`],
    ['in letters of either case', name.split('').map(alternate).join('')],
  ] as const
  return hosts.map(([note, host]) => ({ note, authority: `${host}:${port}`, want: 'served' }))
}

function ports(name: string, port: number): readonly Spelling[] {
  const odd = [
    '0',
    `0${port}`,
    `+${port}`,
    `-${port}`,
    ` ${port}`,
    `${port}.0`,
    `${port}e0`,
    `0x${port.toString(16)}`,
    `${port}:80`,
    `:${port}`,
    '65536',
    '99999',
    `${65_536 + port}`,
    `${2 ** 32 + port}`,
    '99999999999999999999',
    'https',
    'http',
    `${port}x`,
    `${port}/`,
    utf8(String(port).split('').map(fullwidth).join('')),
    percent('4'),
  ]
  return odd.map((text) => ({
    note: `the port ${JSON.stringify(text)} (CVE-2025-63938)`,
    authority: `${name}:${text}`,
    // `http://name:80/:80` is a path in an absolute URI, not a port; in a Host and a CONNECT it is nothing.
    want: text === `${port}/` || text === ` ${port}` ? 'either' : 'refused',
  }))
}

/** A text as the bytes of its UTF-8. */
function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function percent(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`
}

function fullwidth(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 0xfee0)
}

function circled(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) - 0x61 + 0x24d0)
}

function alternate(letter: string, index: number): string {
  return index % 2 === 0 ? letter.toUpperCase() : letter
}
