import { connect } from 'node:tls'

/**
 * A client that may run in another network namespace: shows a certificate or none, sends bytes, and prints all that comes
 * back, as JSON, once the other side has ended. Its one argument is `MemberClientRequest` as JSON.
 */
export interface MemberClientRequest {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  /** In hexadecimal. */
  readonly bytes: string
}

const { bytes, ...how }: MemberClientRequest = JSON.parse(process.argv[2] ?? '{}')
const socket = connect({ ...how, checkServerIdentity: () => undefined })
let received = ''
socket.setEncoding('latin1')
socket.on('data', (text: string) => (received += text))
socket.on('error', () => {})
socket.once('secureConnect', () => socket.end(Buffer.from(bytes, 'hex')))
socket.once('close', () => process.stdout.write(`${JSON.stringify(received)}\n`))
