import { request } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** Asks Ringfence to read its files again; resolves with the version then in force. Throws if it refuses them. */
export function reload(socketPath: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // A connection of its own: one that is kept may be closed while the next policy is written.
  const call = request(
    { socketPath, method: 'POST', path: '/reload', agent: false },
    (response) => {
      buffer(response).then((bytes) => {
        const answer: { readonly version: string } = JSON.parse(bytes.toString())
        if (response.statusCode === 200) resolve(answer.version)
        else reject(new Error(`the reload failed: ${bytes.toString()}`))
      }, reject)
    },
  )
  call.on('error', reject).end()
  return promise
}
