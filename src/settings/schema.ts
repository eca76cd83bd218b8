import {
  choice,
  defaulted,
  integer,
  integerOr,
  list,
  object,
  optional,
  required,
  text,
  type Value,
} from '../documents/shape.ts'
import { egressShape } from './egress-schema.ts'
import { clientCertificates, memberProofs } from './certificates-schema.ts'
import { hours, KiB, MiB, minutes, seconds } from '../units.ts'
import { listenerName, listenPort, outboundListener, prefixes } from './outbound-schema.ts'
import { durationMs, headerName, path, plainText, tokens } from './tokens-schema.ts'

/**
 * The one declaration of settings: keys, types, units, defaults, meaning. The validation, the type of what is read,
 * `config/settings.schema.json` and the README's table all come from it.
 */

/** More threads than cores gain nothing, and each takes its memory. */
const maxWorkers = 64

const tcpAddress = object({
  host: required(text(), 'address to listen on; `0.0.0.0` or `::` for every interface'),
  port: required(listenPort, 'port; 0 takes a free one'),
})

const scope = object({
  subscriptionId: required(text(), 'GUID of the subscription'),
  resourceGroup: required(text({ maxLength: 90 }), 'name of the resource group'),
})

const firewall = object({
  defaultAction: required(
    choice(['Allow', 'Deny']),
    'what happens to callers that `ipRules` do not name',
  ),
  ipRules: defaulted(prefixes, { default: [], description: 'prefixes that are let in' }),
})

const privateEndpoint = object({
  linkId: required(integer({ minimum: 0, maximum: 4_294_967_295 }), 'its link id'),
  name: required(
    text({
      pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]*$',
      says: 'a name of letters, digits, `_`, `.` and `-` that begins with a letter or digit',
      maxLength: 80,
    }),
    'its name, for the log',
  ),
  status: required(
    choice(['Approved', 'Pending', 'Rejected']),
    '`Approved`: what arrives over it is let in as private; else it is denied',
  ),
})

const resource = object({
  id: required(text(), 'full resource id, or a bare name for a service that Azure does not know'),
  hosts: defaulted(list(text()), {
    default: [],
    description: 'names under which clients reach it; exact; one host belongs to one resource',
  }),
  backend: optional(
    text(),
    'where the service is: `http://host:port`, `https://host:port` or `tcp://host:port`',
  ),
  backendCaFile: optional(
    path,
    "PEM file that the certificate of an `https:` back end is verified against; absent: the system's authorities",
  ),
  backendProtocol: optional(
    choice(['http1', 'http2']),
    '`http2`: requests that come in HTTP/2 go on to an `https:` back end in HTTP/2, as gRPC needs; absent: `http1`, for all',
  ),
  endpoint: optional(
    text(),
    'instead of `backend`: `host:port` of the other instance that fronts it; dialled as written, without the guard',
  ),
  ...memberProofs,
  publicNetworkAccess: optional(
    choice(['Enabled', 'Disabled', 'SecuredByPerimeter']),
    'absent: `Enabled` while a perimeter associates the resource, else `SecuredByPerimeter`',
  ),
  audience: optional(
    plainText,
    'whom tokens must be made for (`aud`) to say who calls it; absent: the `audiences` of their issuer',
  ),
  firewall: optional(
    firewall,
    "the resource's own rules, for when no perimeter decides; absent: everyone",
  ),
  privateEndpoints: defaulted(list(privateEndpoint), {
    default: [],
    description:
      'private endpoint connections, known by the link id that Azure Private Link puts into its PROXY header; any other is denied',
  }),
})

const inboundListener = object({
  name: required(listenerName, 'name of the listener, for logs'),
  listen: required(tcpAddress, 'where it listens'),
  accepts: defaulted(choice(['clients', 'members']), {
    default: 'clients',
    description:
      '`members`: streams of members that other instances serve, which prove it by `tls.clientCertificates`; they go to the other listeners here',
  }),
  network: defaulted(choice(['public', 'private']), {
    default: 'public',
    description:
      '`private`: connections from `clients` arrive over a private endpoint, all others are public',
  }),
  clients: optional(prefixes, 'only with `network: private`, and required there'),
  resource: optional(
    text(),
    'every request is for this resource, whatever its Host; with a `tcp:` back end, every connection, whatever it says',
  ),
  trustedProxies: defaulted(prefixes, {
    default: [],
    description: "peers that are believed about the client's address, and about nothing else",
  }),
  forwardedHeader: defaulted(choice(['x-forwarded-for', 'forwarded']), {
    default: 'x-forwarded-for',
    description: 'the one header that trusted proxies write; the other is always removed',
  }),
  proxyProtocol: optional(
    object({
      trustedPrefixes: required(
        list(text(), { minItems: 1 }),
        "peers whose connections must begin with a PROXY header; they are believed about the client's address and private endpoint",
      ),
    }),
    'load balancers that speak the PROXY protocol, version 1 or 2; absent: nobody does',
  ),
  tls: optional(
    object({
      certificateFile: required(
        path,
        'PEM file: certificate and its chain; relative to the settings file',
      ),
      keyFile: required(path, 'PEM file: private key; relative to the settings file'),
      clientCertificates: optional(
        clientCertificates,
        'asks clients for certificates, which say who calls; absent: nobody is asked',
      ),
    }),
    'terminates TLS; absent: plain HTTP; in front of a `tcp:` back end only with `clientCertificates`, else TLS passes through',
  ),
})

export const settingsShape = object({
  $schema: optional(text(), 'for editors; ignored'),
  instance: optional(
    text({ pattern: '^[!-~]+$', says: 'printable ASCII without spaces', maxLength: 253 }),
    "name in the access log; default the machine's host name",
  ),
  scope: optional(scope, 'where bare resource ids live'),
  policy: required(
    object({
      files: required(
        list(path, { minItems: 1 }),
        'perimeter files; relative to this file, `*` and `?` match within a name; watched; a pattern that matches nothing is an error',
      ),
      serviceTagsFile: optional(
        path,
        'the file of service tags that rules may name, as Microsoft publishes it (`ServiceTags_Public_*.json`); relative to this file; watched',
      ),
    }),
    'what is enforced',
  ),
  resources: defaulted(list(resource), {
    default: [],
    description: 'the services that this instance fronts, speaks for, or knows as peers',
  }),
  links: defaulted(
    object({
      autoApprove: defaulted(list(text()), {
        default: [],
        description: 'resource ids of perimeters whose links count without a link reference',
      }),
    }),
    { default: {}, description: 'links between perimeters' },
  ),
  inbound: defaulted(list(inboundListener), {
    default: [],
    description: 'reverse proxies in front of resources',
  }),
  outbound: defaulted(list(outboundListener), {
    default: [],
    description: 'forward proxies for what resources call',
  }),
  identity: defaulted(
    object({
      headers: defaulted(
        object({
          subscription: defaulted(headerName, {
            default: 'x-nsp-subscription-id',
            description: "the caller's subscription",
          }),
          perimeter: defaulted(headerName, {
            default: 'x-nsp-perimeter-id',
            description: "the caller's perimeter",
          }),
          resource: defaulted(headerName, {
            default: 'x-nsp-resource-id',
            description: "the caller's resource id",
          }),
        }),
        { default: {}, description: 'names of the headers that say who calls' },
      ),
      headersTrustedFrom: defaulted(prefixes, {
        default: [],
        description:
          'peers that overwrite those headers themselves; from anyone else they are removed',
      }),
      tokens: optional(
        tokens,
        'managed-identity tokens (JWT): who proves so who it is needs no header; absent: none is looked at',
      ),
    }),
    { default: {}, description: 'who calls' },
  ),
  egress: defaulted(egressShape, {
    default: {},
    description: 'what outbound connections may reach',
  }),
  audit: defaulted(
    object({
      file: defaulted(path, {
        default: '-',
        description: 'the access log: a path relative to this file, or `-` for standard output',
      }),
      endLineAfterMs: defaulted(durationMs, {
        default: seconds(10),
        description: 'an exchange that lasts longer writes a second line at its end',
      }),
      flushIntervalMs: defaulted(
        integer({ minimum: 1, maximum: minutes(1), unit: 'milliseconds' }),
        {
          default: 100,
          description: 'how long a record may wait before it is written',
        },
      ),
      bufferBytes: defaulted(integer({ minimum: 64 * KiB, maximum: 1024 * MiB, unit: 'bytes' }), {
        default: 16 * MiB,
        description: 'records that wait for the disk beyond this are lost, counted and reported',
      }),
      onFailure: defaulted(choice(['deny', 'continue']), {
        default: 'deny',
        description:
          'what becomes of new work once records are lost: refused until half of `bufferBytes` is free again, or let on',
      }),
    }),
    { default: {}, description: 'the access log' },
  ),
  health: optional(
    object({ listen: required(tcpAddress, 'where `/livez`, `/readyz` and `/metrics` are served') }),
    'health and metrics; nothing that reveals or changes policy',
  ),
  admin: optional(
    object({
      socket: required(path, 'path of the Unix socket, mode 0600; relative to this file'),
    }),
    'policy in force, reload, recent denials',
  ),
  workers: defaulted(integerOr('auto', { minimum: 1, maximum: maxWorkers }), {
    default: 1,
    description:
      'threads that serve; 1 serves on the main thread, `auto` is one for each core; Linux only where more than 1',
  }),
  lane: defaulted(choice(['relay', 'library']), {
    default: 'relay',
    description:
      'what carries HTTP/1.1: `relay` is the fast one; `library` is slower, and there to step back to; read for each new connection',
  }),
  limits: defaulted(
    object({
      headerBytes: defaulted(integer({ minimum: 256, maximum: MiB, unit: 'bytes' }), {
        default: 16 * KiB,
        description: 'size of a request head; more is 431',
      }),
      headerCount: defaulted(integer({ minimum: 1, maximum: 2000 }), {
        default: 100,
        description: 'header fields of a request; more is 431',
      }),
      connections: defaulted(integer({ minimum: 1, maximum: 1_000_000 }), {
        default: 20_000,
        description: 'open connections of a listener; more is 503, for TCP a closed connection',
      }),
      concurrentStreams: defaulted(integer({ minimum: 1, maximum: 10_000 }), {
        default: 100,
        description: 'open streams of an HTTP/2 connection; more end it',
      }),
      tunnelsPerResource: defaulted(integer({ minimum: 1, maximum: 1_000_000 }), {
        default: 10_000,
        description:
          'open tunnels, upgrades and TCP connections of a resource; more is 503, for TCP a closed connection',
      }),
    }),
    { default: {}, description: 'bounds on what clients may use' },
  ),
  timeouts: defaulted(
    object({
      headerMs: defaulted(durationMs, {
        default: seconds(10),
        description: 'from the first byte of a request head to its last; also the TLS handshake',
      }),
      keepAliveMs: defaulted(durationMs, {
        default: seconds(60),
        description: 'between two requests on one connection',
      }),
      bodyIdleMs: defaulted(durationMs, {
        default: seconds(60),
        description: 'without a byte of a body in either direction',
      }),
      connectMs: defaulted(durationMs, {
        default: seconds(5),
        description: 'to connect to a back end or destination, all addresses together',
      }),
      dnsMs: defaulted(durationMs, { default: seconds(5), description: 'to resolve a name' }),
      tunnelIdleMs: defaulted(durationMs, {
        default: minutes(5),
        description:
          'without a byte through a tunnel, upgrade or TCP connection in either direction',
      }),
      tunnelLifetimeMs: defaulted(durationMs, {
        default: hours(24),
        description: 'of a tunnel, upgrade or TCP connection, however busy',
      }),
      drainMs: defaulted(durationMs, {
        default: seconds(30),
        description: 'after SIGTERM, for what is in flight',
      }),
    }),
    { default: {}, description: 'time-outs' },
  ),
})

/** Settings as written, of the right shape and with defaults, before they are checked for what they mean. */
export type SettingsValue = Value<typeof settingsShape>
export type ResourceValue = SettingsValue['resources'][number]
export type TokensValue = NonNullable<SettingsValue['identity']['tokens']>
export type IssuerValue = TokensValue['issuers'][number]
export type InboundValue = SettingsValue['inbound'][number]
export type ClientCertificatesValue = NonNullable<
  NonNullable<InboundValue['tls']>['clientCertificates']
>
export type OutboundValue = SettingsValue['outbound'][number]
