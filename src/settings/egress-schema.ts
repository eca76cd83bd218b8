import {
  choice,
  defaulted,
  integer,
  list,
  map,
  object,
  optional,
  required,
  text,
} from '../documents/shape.ts'

/** The part of settings that says what outbound connections may reach. */

const port = integer({ minimum: 1, maximum: 65_535 })
const prefixes = list(text())
const path = text({ pattern: '^[^\\u0000]+$', says: 'a path' })

/** What becomes of something that is not as it should be. */
const leniency = choice(['allow', 'deny', 'log'])

export const egressShape = object({
  ports: defaulted(list(port), {
    default: [80, 443],
    description: 'ports that FQDN rules cover',
  }),
  privateAddresses: defaulted(map('name or `*.name`', prefixes), {
    default: {},
    description: 'prefixes that a name may resolve to although they are not public',
  }),
  hosts: defaulted(map('name', list(text(), { minItems: 1 })), {
    default: {},
    description: 'fixed answers: addresses of a name; guarded like DNS answers',
  }),
  nameservers: defaulted(list(text()), {
    default: [],
    description: "`address` or `address:port`; empty: the system's",
  }),
  tls: defaulted(
    object({
      absent: defaulted(leniency, {
        default: 'deny',
        description: 'the client asks for no name',
      }),
      several: defaulted(leniency, {
        default: 'deny',
        description: 'the client asks for more than one name',
      }),
      unreadable: defaulted(leniency, {
        default: 'deny',
        description:
          'what the client sends first is broken, is larger than 16 KiB, or is not there within 5 s (or `timeouts.headerMs`)',
      }),
      encrypted: defaulted(leniency, {
        default: 'log',
        description:
          'Encrypted ClientHello whose readable name is the decided one; with any other it is always `deny`',
      }),
      notTls: defaulted(leniency, {
        default: 'deny',
        description: 'on port 443: what the client sends first is no TLS',
      }),
    }),
    {
      default: {},
      description:
        'TLS inside a CONNECT to a name must ask for that name; what becomes of what does not say it plainly. `deny` holds for Enforced resources; Learning and Audit log it',
    },
  ),
  upstreamProxy: optional(
    object({
      url: required(text(), '`http://host:port` or `https://host:port`; dialled as written'),
      credentialsFile: optional(
        path,
        'file of one line, `user:password`, for the proxy alone; relative to the settings file',
      ),
      caFile: optional(
        path,
        "PEM file that the certificate of an `https:` proxy is verified against; absent: the system's authorities",
      ),
      noProxy: defaulted(list(text()), {
        default: [],
        description:
          'what is reached directly: `name`, `*.name` or `.name` (below it), a prefix for literals; each with or without `:port`',
      }),
    }),
    'the one way out: everything else is asked of this proxy by CONNECT, and by name only, which no guard sees',
  ),
  nat64: defaulted(prefixes, {
    default: [],
    description:
      'prefixes that the network translates to IPv4, such as `64:ff9b::/96`: an address in them is judged as the IPv4 address',
  }),
})
