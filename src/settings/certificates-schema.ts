import {
  choice,
  defaulted,
  integer,
  list,
  object,
  optional,
  required,
  text,
} from '../documents/shape.ts'
import { path } from './tokens-schema.ts'

/** What settings say about certificates: a part of the one declaration in `schema.ts`. */

const trustScope = {
  perimeters: defaulted(list(text()), {
    default: [],
    description: 'perimeters that it may speak for: GUIDs, or resource ids',
  }),
  subscriptions: defaulted(list(text()), {
    default: [],
    description: 'GUIDs of subscriptions whose resources and callers it may speak for',
  }),
} as const

/** Longer chains are mistakes. */
const maxDepth = 8

/** `tls.clientCertificates` of a listener. */
export const clientCertificates = object({
  mode: defaulted(choice(['required', 'optional']), {
    default: 'required',
    description:
      '`required`: whoever shows no valid certificate is refused as `unknown-caller`; `optional`: is nobody in particular',
  }),
  authorities: required(
    list(
      object({
        caFile: required(
          path,
          'PEM file: certificates of the authority; those of clients lead to one of them',
        ),
        crlFile: optional(
          path,
          'PEM file: its lists of revocations, and those of authorities below it; one that has expired refuses everybody',
        ),
        ...trustScope,
      }),
      { minItems: 1 },
    ),
    'who issues certificates to clients, and whom each may speak for',
  ),
  maxDepth: defaulted(integer({ minimum: 0, maximum: maxDepth }), {
    default: 3,
    description: 'authorities between `caFile` and the certificate of a client',
  }),
  mapping: defaulted(
    list(
      object({
        name: required(
          text(),
          'a subject alternative name, exact: `DNS:name`, `URI:uri` or `email:address`',
        ),
        resource: required(text(), 'the resource that it stands for'),
        perimeter: optional(
          text(),
          'its perimeter, where no perimeter file here says it: GUID, or resource id',
        ),
      }),
    ),
    {
      default: [],
      description: 'names in certificates beside `spiffe://<perimeter GUID>/subscriptions/…`',
    },
  ),
})

/** Keys of a resource: what proves it to other instances, and those to it. */
export const memberProofs = {
  endpointTls: optional(
    object({
      caFile: required(path, "PEM file that the other instance's certificate is verified against"),
      name: required(
        text(),
        'the name in its certificate, exact: `URI:spiffe://…` or `DNS:name`; nothing is said to anybody else',
      ),
    }),
    'the `endpoint` is a listener with `accepts: members`; whoever sends there proves itself by its `memberCertificate`',
  ),
  memberCertificate: optional(
    object({
      certificateFile: required(path, 'PEM file: certificate and its chain'),
      keyFile: required(path, 'PEM file: private key'),
    }),
    'proves to other instances that a stream is of this resource',
  ),
} as const
