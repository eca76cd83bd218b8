import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = path.resolve(import.meta.dirname, '../..')

interface Instruction {
  readonly name: string
  readonly text: string
}

interface Stage {
  readonly from: string
  readonly name: string
  readonly instructions: Instruction[]
}

const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8')
const stages = parseStages(dockerfile)
const last = stages.at(-1)

/** Instructions by stage; comments dropped, continued lines joined. */
function parseStages(text: string): Stage[] {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '')
  const found: Stage[] = []
  for (const line of lines) {
    const [name = '', ...rest] = line.split(' ')
    const [from = '', , stageName = ''] = rest
    if (name === 'FROM') found.push({ from, name: stageName, instructions: [] })
    else found.at(-1)?.instructions.push({ name, text: rest.join(' ') })
  }
  return found
}

function textsOf(stage: Stage | undefined, name: string): string[] {
  return (stage?.instructions ?? []).filter((one) => one.name === name).map((one) => one.text)
}

/** Source paths of the COPY instructions that read the build context. */
function copiedBy(stage: Stage | undefined): string[] {
  return textsOf(stage, 'COPY')
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => text.split(' ').slice(0, -1))
}

void t.test('Dockerfile copies what exists and .dockerignore lets in', async (t) => {
  const ignore = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n')
  t.ok(ignore.includes('*'), 'everything else stays out of the context')
  const copied = stages.flatMap(copiedBy)
  t.ok(copied.length > 5)
  for (const source of copied) {
    t.ok(existsSync(path.join(root, source)), `${source} exists`)
    t.ok(ignore.includes(`!${source}`), `${source} is let in`)
  }
})

void t.test('Dockerfile copies from a stage only what that stage makes', async (t) => {
  const made: Readonly<Record<string, readonly string[]>> = {
    dependencies: ['/app/node_modules'],
    build: ['/build/dist'],
  }
  const copies = textsOf(last, 'COPY').filter((text) => text.startsWith('--from='))
  t.equal(copies.length, 2)
  for (const copy of copies) {
    const [flag = '', source = ''] = copy.split(' ')
    t.ok(made[flag.slice('--from='.length)]?.includes(source), copy)
  }
  const dist: unknown = JSON.parse(
    readFileSync(path.join(root, 'scripts/tsconfig.build.json'), 'utf8'),
  )
  t.hasStrict(dist, { compilerOptions: { outDir: '../dist' } }, 'the build stage fills dist/')
})

void t.test('Dockerfile takes its base image as an argument', async (t) => {
  t.match(dockerfile, /^ARG BASE=node:24/m)
  t.ok(stages.every((stage) => stage.from === '${BASE}'))
})

void t.test('Dockerfile runs as a number that is neither root nor a usual workload', async (t) => {
  const [user = ''] = textsOf(last, 'USER')
  t.match(user, /^[0-9]+:[0-9]+$/)
  const [uid = 0] = user.split(':').map(Number)
  t.ok(uid > 1000, 'not root, not a system account, not 1000')
})

void t.test('Dockerfile asks /livez for health and starts the built program', async (t) => {
  const health = textsOf(last, 'HEALTHCHECK')[0] ?? ''
  const command: unknown = JSON.parse(health.slice(health.indexOf('CMD ') + 'CMD '.length))
  t.match(command, ['node', '-e', /RINGFENCE_LIVEZ/])
  t.ok(textsOf(last, 'ENV').includes('RINGFENCE_LIVEZ=http://127.0.0.1:9900/livez'))
  const flag = '--max-semi-space-size=4'
  t.strictSame(textsOf(last, 'ENTRYPOINT'), [`["node", "${flag}", "dist/main.js"]`])
})

void t.test(
  'Dockerfile installs in an empty folder, without what is for development',
  async (t) => {
    const stage = stages.find(({ name }) => name === 'dependencies')
    const [command = ''] = textsOf(stage, 'RUN')
    t.match(command, /^npm ci /)
    for (const flag of ['--omit=dev', '--omit=optional', '--ignore-scripts']) {
      t.ok(command.split(' ').includes(flag), flag)
    }
    const folder = path.join(t.testdir(), 'app')
    mkdirSync(folder)
    for (const source of copiedBy(stage)) cpSync(path.join(root, source), path.join(folder, source))
    const [file = '', ...args] = command.split(' ')
    await run(file, [...args, '--prefer-offline'], { cwd: folder })
    const manifest: unknown = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    for (const name of namesIn(manifest, 'dependencies')) {
      t.ok(existsSync(path.join(folder, 'node_modules', name)), `${name} is there`)
    }
    for (const name of [
      ...namesIn(manifest, 'devDependencies'),
      ...namesIn(manifest, 'optionalDependencies'),
    ]) {
      t.notOk(existsSync(path.join(folder, 'node_modules', name)), `${name} is not`)
    }
  },
)

function namesIn(manifest: unknown, key: string): string[] {
  if (typeof manifest !== 'object' || manifest === null) return []
  const [, section] = Object.entries(manifest).find(([name]) => name === key) ?? []
  return typeof section === 'object' && section !== null ? Object.keys(section) : []
}
