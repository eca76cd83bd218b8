import { defaulted, integer, list, object, optional, required, text } from '../documents/shape.ts'
import { path, plainText } from './tokens-schema.ts'

/** The part of `schema.ts` that declares outbound listeners, and what it shares with the rest. */

/** 0 takes a free one. */
export const listenPort = integer({ minimum: 0, maximum: 65_535 })
export const prefixes = list(text())

export const listenerName = text({
  pattern: '^[A-Za-z0-9][A-Za-z0-9 _.-]*$',
  says: 'a name of letters, digits, spaces, `_`, `.` and `-` that begins with a letter or digit',
  maxLength: 80,
})

const listenAddress = object({
  host: optional(text(), 'address to listen on'),
  port: optional(listenPort, 'port; 0 takes a free one'),
  socket: optional(path, 'path of a Unix socket, instead of `host` and `port`'),
  mode: optional(
    text({ pattern: '^0[0-7]{3}$', says: 'an octal mode in quotes, such as `"0660"`' }),
    'permissions of the Unix socket, `"0600"` if absent; who may write may connect, so never everyone',
  ),
})

const outboundCaller = object({
  resource: required(text(), 'the member'),
  prefixes: defaulted(prefixes, {
    default: [],
    description: 'whoever comes from here without credentials is this member',
  }),
  basic: optional(
    object({
      user: required(text({ maxLength: 256 }), 'user of `Proxy-Authorization: Basic`'),
      secretHash: required(text(), 'its secret, as `ringfence hash-secret` prints it'),
    }),
    'whoever presents these credentials is this member',
  ),
  tokenAudience: optional(
    plainText,
    "whoever presents a token of the member's managed identity that was made for this audience (`aud`), as `Proxy-Authorization: Bearer`, is this member; needs `identity.tokens`",
  ),
})

export const outboundListener = object({
  name: required(listenerName, 'name of the listener, for logs'),
  listen: required(listenAddress, 'where it listens: `host` and `port`, or `socket`'),
  resource: optional(
    text(),
    'the member it speaks for; such a listener binds loopback or a Unix socket, or names `clients`',
  ),
  clients: optional(prefixes, 'who may connect'),
  callers: defaulted(list(outboundCaller), {
    default: [],
    description: 'instead of `resource`: the members it speaks for, each by how it is known',
  }),
})
