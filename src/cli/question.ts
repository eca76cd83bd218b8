import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { type Checked, invalid, valid } from '../perimeter/checked.ts'
import { quote } from '../perimeter/quote.ts'
import type { InboundRequest, OutboundRequest } from '../policy/request.ts'
import { parseAddress } from '../wire/address.ts'
import { parseHost } from '../wire/authority.ts'

/** What `decide` is asked: a request whose resource is still a reference. */
export type Question =
  | ({ readonly direction: 'Inbound'; readonly resource: string } & Pick<
      InboundRequest,
      'network' | 'source'
    >)
  | ({ readonly direction: 'Outbound'; readonly resource: string } & Pick<
      OutboundRequest,
      'destination'
    >)

const maxPort = 65_535

/**
 * Reads one question: JSON with the keys of its direction and no others. `network` is public where it is absent, the
 * lists of `source` empty.
 */
export function readQuestion(text: string): Checked<Question> {
  try {
    return valid(toQuestion(JSON.parse(text)))
  } catch (error) {
    if (error instanceof QuestionError) return invalid(error.message)
    if (error instanceof SyntaxError) return invalid('the line is not JSON')
    throw error
  }
}

/** Leaves only this file's functions, and never the file. */
class QuestionError extends Error {}

type Fields = Readonly<Record<string, unknown>>

function toQuestion(value: unknown): Question {
  const { direction } = fieldsOf(value, 'the question')
  switch (direction) {
    case 'Inbound':
      return toInbound(fieldsOf(value, 'the question'))
    case 'Outbound':
      return toOutbound(fieldsOf(value, 'the question'))
    default:
      throw new QuestionError('`direction` must be `Inbound` or `Outbound`')
  }
}

function toInbound(fields: Fields): Question {
  refuseOthers(fields, ['direction', 'resource', 'network', 'source'])
  const source = fieldsOf(fields['source'], '`source`')
  refuseOthers(source, ['ip', 'subscriptions', 'perimeters'])
  const network = fields['network'] ?? 'public'
  if (network !== 'public' && network !== 'private') {
    throw new QuestionError('`network` must be `public` or `private`')
  }
  return {
    direction: 'Inbound',
    resource: textOf(fields['resource'], '`resource`'),
    network,
    source: {
      address: source['ip'] === undefined ? undefined : addressOf(source['ip']),
      subscriptions: guidsOf(source['subscriptions'], '`source.subscriptions`'),
      perimeters: guidsOf(source['perimeters'], '`source.perimeters`'),
    },
  }
}

function toOutbound(fields: Fields): Question {
  refuseOthers(fields, ['direction', 'resource', 'destination'])
  const destination = fieldsOf(fields['destination'], '`destination`')
  refuseOthers(destination, ['fqdn', 'port'])
  const name = textOf(destination['fqdn'], '`destination.fqdn`')
  const host = parseHost(name)
  if (host === undefined) throw new QuestionError(`${quote(name)} is no host name`)
  const { port } = destination
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > maxPort) {
    throw new QuestionError(`\`destination.port\` must be a whole number from 1 to ${maxPort}`)
  }
  const resource = textOf(fields['resource'], '`resource`')
  return { direction: 'Outbound', resource, destination: { host, port } }
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QuestionError(`${what} must be an object`)
  }
  return { ...value }
}

function refuseOthers(fields: Fields, known: readonly string[]): void {
  const other = Object.keys(fields).find((key) => !known.includes(key))
  if (other !== undefined) {
    throw new QuestionError(`unknown key ${quote(other)}; known are ${known.join(', ')}`)
  }
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new QuestionError(`${what} must be text`)
  }
  return value
}

function addressOf(value: unknown): InboundRequest['source']['address'] {
  const text = textOf(value, '`source.ip`')
  const address = parseAddress(text)
  if (address === undefined) throw new QuestionError(`${quote(text)} is no IP address`)
  return address
}

function guidsOf(value: unknown, what: string): readonly Guid[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new QuestionError(`${what} must be a list of GUIDs`)
  return value.map((item: unknown) => {
    const guid = typeof item === 'string' ? parseGuid(item) : undefined
    if (guid === undefined) throw new QuestionError(`${what} must be a list of GUIDs`)
    return guid
  })
}
