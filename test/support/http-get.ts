import { Agent, type IncomingMessage, request } from 'node:http'

export interface TextResponse {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface AskOptions {
  readonly port?: number
  readonly socketPath?: string
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** One request on a connection of its own, with the whole answer as text. */
export async function ask(options: AskOptions): Promise<TextResponse> {
  return new Promise<TextResponse>((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        ...options,
        agent: new Agent({ keepAlive: false }),
        method: options.method ?? 'GET',
        headers: { ...options.headers },
      },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          body += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}
