import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { blocksOf, fillConsoles, writeExamples } from '../../scripts/readme-examples.ts'
import { fillTables, tables } from '../../scripts/readme-tables.ts'

/** What the README shows is what happens. */

const root = path.resolve(import.meta.dirname, '../..')
const program = path.join(root, 'src/main.ts')
const readme = readFileSync(path.join(root, 'README.md'), 'utf8')

void t.test('README: its tables are what the program has', async (t) => {
  t.equal(fillTables(readme), readme, 'run `npm run generate`')
  for (const name of Object.keys(tables)) {
    t.match(readme, `<!-- generated: ${name} -->`, `${name} is shown`)
  }
})

void t.test(
  'README: its first screen says what, for whom, against what not, and how to try',
  async (t) => {
    const screen = readme.split('\n').slice(0, 36).join('\n')
    for (const part of [
      'npm ci && npm run demo',
      'npm ci && npm test',
      'For whom',
      'What it does not protect against',
    ]) {
      t.match(screen, part)
    }
  },
)

void t.test('README: its links lead somewhere', async (t) => {
  const targets = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, target = '']) => target)
  t.ok(targets.length > 5)
  for (const target of targets) {
    if (!target.startsWith('https://')) t.ok(existsSync(path.join(root, target)), target)
  }
})

void t.test('README: its npm scripts exist', async (t) => {
  const manifest = readFileSync(path.join(root, 'package.json'), 'utf8')
  for (const [, script = ''] of readme.matchAll(/npm run (?:-s )?([a-z:]+)/g)) {
    t.match(manifest, `"${script}":`, script)
  }
})

void t.test('README: each line that begins with $ prints what follows it', async (t) => {
  t.ok(blocksOf(readme, 'console').length > 2)
  t.equal(fillConsoles(readme), readme, 'run `npm run generate`')
})

void t.test('README: the quick start denies, refuses and logs as shown', async (t) => {
  const ports = new Map<string, number>()
  for (const written of ['10000', '8080', '3128', '9900']) ports.set(written, await freePort())
  // Not in the test's own folder: its path is too long for the admin socket.
  const folder = mkdtempSync(path.join(tmpdir(), 'readme-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeExamples(
    readme.replace(/\b(10000|8080|3128|9900)\b/g, (written) => String(ports.get(written))),
    folder,
  )
  const child = spawn(process.execPath, [program, 'run', '--config', 'ringfence.yaml'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.startsWith('ready in ')) break
  }
  child.stderr.resume()

  const denied = await get(ports.get('8080') ?? 0, 'orders.shop.example')
  t.equal(denied.status, 403)
  const [body, line] = blocksOf(readme, 'json').map((text) => JSON.parse(text))
  t.strictSame(fieldsOf(JSON.parse(denied.body)), fieldsOf(body), 'the refusal has these fields')

  const logged = JSON.parse(await firstLine(path.join(folder, 'access.jsonl')))
  t.strictSame(fieldsOf(logged), fieldsOf(line), 'the line of the access log has these fields')
  for (const field of ['category', 'operationName', 'resourceId', 'resultDescription']) {
    t.equal(logged[field], line[field], field)
  }
  for (const field of ['profile', 'reason', 'accessMode', 'resultAction', 'trafficType']) {
    t.equal(logged.properties[field], line.properties[field], field)
  }

  const refused = await get(ports.get('3128') ?? 0, 'attacker.example', 'http://attacker.example/')
  t.equal(refused.status, 403)
  t.match(refused.body, 'suggestedRule')
})

function get(port: number, host: string, target = '/'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path: target, headers: { host } })
    call.on('error', reject)
    call.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    call.end()
  })
}

/** Records may wait a moment before they are written. */
async function firstLine(file: string): Promise<string> {
  for (;;) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const end = text.indexOf('\n')
    if (end !== -1) return text.slice(0, end)
    await delay(10)
  }
}

/** Names of all fields, with their path, in order. */
function fieldsOf(value: unknown, prefix = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [
    `${prefix}${key}`,
    ...fieldsOf(inner, `${prefix}${key}.`),
  ])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address: AddressInfo | string | null = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
