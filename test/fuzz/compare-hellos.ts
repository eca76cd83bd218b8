import { duplexPair } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { type ClientHello, ClientHelloReader } from '../../src/wire/client-hello.ts'
import type { Check } from './compare-requests.ts'

/**
 * Whatever name we read in a hello is the one that OpenSSL's server reads in it, or OpenSSL refuses the hello; and where
 * it is cut makes no difference.
 */
export function startHelloCheck(): Check {
  return async (text, trial) => {
    const bytes = Buffer.from(text, 'latin1')
    const read = new ClientHelloReader().take(bytes)
    const inCrumbs = readCrumbs(bytes)
    // What follows a whole hello, and what is wrong behind the first wrong byte, is not looked at.
    if (JSON.stringify(inCrumbs) !== JSON.stringify(read)) {
      return `whole ${JSON.stringify(read)}, in crumbs ${JSON.stringify(inCrumbs)}`
    }
    if (read === undefined) return undefined
    const known = nameIn(read)
    if (known === refused) return undefined
    const asked = await askServer(bytes)
    if (typeof asked === 'string' && asked.toLowerCase() === known) trial.isWhole = true
    if (asked === refused || asked?.toLowerCase() === known) return undefined
    return `read ${JSON.stringify(read)}, OpenSSL reads ${JSON.stringify(asked)}`
  }
}

const refused = Symbol('refused')

/** What a server may make of it, as far as we say: undefined for no name. */
function nameIn(hello: ClientHello): string | undefined | typeof refused {
  if (hello.kind === 'name') return hello.name
  if (hello.kind === 'encrypted') return hello.outer
  return hello.kind === 'absent' ? undefined : refused
}

function readCrumbs(bytes: Buffer): ClientHello | undefined {
  const reader = new ClientHelloReader()
  for (const byte of bytes) {
    const hello = reader.take(Buffer.from([byte]))
    if (hello !== undefined) return hello
  }
  return undefined
}

/** The name that OpenSSL takes; undefined where it goes on without one. */
async function askServer(bytes: Buffer): Promise<string | undefined | typeof refused> {
  const [client, server] = duplexPair()
  return new Promise((resolve) => {
    const socket = new TLSSocket(server, {
      isServer: true,
      // Asked only where there is a name; without a certificate it ends there.
      SNICallback: (name, done) => {
        resolve(name)
        done(new Error('enough'))
      },
    })
    socket.on('error', () => resolve(refused))
    socket.on('close', () => resolve(refused))
    // It waits for more than there is.
    server.on('end', () => setImmediate(resolve, refused))
    client.on('error', () => {})
    client.on('data', (answer: Buffer) => {
      // An alert is a refusal; anything else is the hello of the server.
      resolve(answer[0] === alertRecord ? refused : undefined)
      socket.destroy()
    })
    client.end(bytes)
  })
}

const alertRecord = 21
