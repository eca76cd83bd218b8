import { request } from 'node:http'
import path from 'node:path'
import { text } from 'node:stream/consumers'

/** As much of what the admin socket answers as is looked at. */
export interface AdminAnswer {
  readonly policyVersion?: string
  readonly version?: string
  readonly open?: number
  readonly faults?: number
  readonly accessLog?: { readonly lost: number; readonly accepted: number }
  readonly workers?: { readonly replaced: number }
}

/** Asks the admin socket of the instance in the folder. */
export async function askAdmin(
  folder: string,
  ask: { readonly method: 'GET' | 'POST'; readonly path: string },
): Promise<{ readonly status: number; readonly answer: AdminAnswer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const call = request({ ...ask, socketPath: path.join(folder, 'admin.sock') }, (response) => {
    const { statusCode: status = 0 } = response
    text(response).then((body) => resolve({ status, body }), reject)
  })
  call.on('error', reject).end()
  const { status, body } = await promise
  const answer: AdminAnswer = JSON.parse(body)
  return { status, answer }
}
