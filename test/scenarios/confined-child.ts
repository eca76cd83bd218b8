import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'

/**
 * A workload that is told to get at what confines it: gives up its rights, tries, and prints what came of each attempt
 * as JSON. Started as root with what it is to try.
 */

interface Given {
  readonly uid: number
  readonly adminSocket: string
  readonly egressSocket: string
  readonly egressPort: number
  readonly healthPort: number
  readonly files: readonly string[]
  readonly pid: number
}

const given = JSON.parse(process.argv[2] ?? '') as Given
process.setgroups?.([])
process.setgid?.(given.uid)
process.setuid?.(given.uid)

const results: Record<string, string> = { uid: String(process.getuid?.()) }

async function direct(): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(given.adminSocket)
    socket.on('connect', () => resolve('connected'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'))
  })
}

async function through(
  proxy: { readonly socketPath: string } | { readonly port: number },
  path: string,
): Promise<string> {
  return new Promise((resolve) => {
    const host = /^http:\/\/([^/]*)/.exec(path)?.[1] ?? 'admin'
    const call = request({ ...proxy, host: '127.0.0.1', path, headers: { host }, agent: false })
    call.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
    })
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'failed'))
    call.end()
  })
}

function attempt(what: () => unknown): string {
  try {
    what()
    return 'done'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'failed'
  }
}

results['admin socket'] = await direct()
for (const [name, proxy] of [
  ['socket', { socketPath: given.egressSocket }],
  ['port', { port: given.egressPort }],
] as const) {
  for (const path of [
    `http://127.0.0.1:${given.healthPort}/metrics`,
    `http://localhost:${given.healthPort}/metrics`,
    'http://admin/policy',
    `http://unix:${given.adminSocket}:/policy`,
    '/policy',
  ]) {
    results[
      `${name}: ${path.replaceAll(given.adminSocket, 'SOCKET').replaceAll(String(given.healthPort), 'HEALTH')}`
    ] = await through(proxy, path)
  }
}
for (const file of given.files) {
  const name = file.split('/').at(-1) ?? ''
  results[`write ${name}`] = attempt(() => writeFileSync(file, '', { flag: 'a' }))
}
results['reload'] = attempt(() => process.kill(given.pid, 'SIGHUP'))
results['environment'] = attempt(() => readFileSync(`/proc/${given.pid}/environ`))
results['memory'] = attempt(() => readFileSync(`/proc/${given.pid}/mem`))
process.stdout.write(JSON.stringify(results))
