import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { hasServers } from './database-servers.ts'
import { sayNotTested } from './namespaces.ts'

/** Networks of their own for tests: two namespaces joined by a cable. Nothing outside of them is touched. */

/** Whether there may be namespaces with rules in them: a missing program fails, what the machine does not allow is said. */
export function canMakeNamespaces(t: Test): boolean {
  const packages = 'nftables iproute2 util-linux iputils-ping curl'
  if (!hasServers(t, packages, ['nft', 'ip', 'unshare', 'setpriv', 'ping', 'curl'])) return false
  try {
    execFileSync('unshare', ['--net', 'nft', 'list', 'ruleset'], { stdio: 'pipe' })
    return true
  } catch (error) {
    sayNotTested(t, `network namespaces need root, and a kernel with nftables (${String(error)})`)
    return false
  }
}

export interface Namespace {
  readonly name: string
  readonly ipv4: string
  readonly ipv6: string
  /** Runs a program in it to its end: its output, and how it ended. Root, unless `uid` says otherwise. */
  run(
    command: readonly string[],
    options?: { readonly uid?: number; readonly input?: string },
  ): Promise<{ readonly exitCode: number | null; readonly out: string }>
  /** Starts one that ends with the test; resolves once a line of its output says `ready`. */
  start(command: readonly string[], options?: { readonly uid?: number }): Promise<Started>
}

export interface Started {
  /** Lines of its output. */
  readonly lines: readonly string[]
}

/** `inside` reaches everything by way of `outside`. They go with the test. */
export function joinNamespaces(t: Test): {
  readonly inside: Namespace
  readonly outside: Namespace
} {
  const names = { inside: `rf-${process.pid}-in`, outside: `rf-${process.pid}-out` }
  const children: ChildProcess[] = []
  for (const name of Object.values(names)) ip('netns', 'add', name)
  t.teardown(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    for (const name of Object.values(names)) ip('netns', 'del', name)
  })
  const { inside, outside } = names
  ip(
    '-n',
    inside,
    'link',
    'add',
    'cable',
    'type',
    'veth',
    'peer',
    'name',
    'cable',
    'netns',
    outside,
  )
  const addresses = { [inside]: ['10.91.0.1', 'fd91::1'], [outside]: ['10.91.0.2', 'fd91::2'] }
  for (const [name, [ipv4 = '', ipv6 = '']] of Object.entries(addresses)) {
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'address', 'add', `${ipv4}/24`, 'dev', 'cable')
    ip('-n', name, 'address', 'add', `${ipv6}/64`, 'dev', 'cable', 'nodad')
    ip('-n', name, 'link', 'set', 'cable', 'up')
  }
  ip('-n', inside, 'route', 'add', 'default', 'via', '10.91.0.2')
  ip('-n', inside, '-6', 'route', 'add', 'default', 'via', 'fd91::2')
  const make = (name: string): Namespace => {
    const [ipv4 = '', ipv6 = ''] = addresses[name] ?? []
    return { name, ipv4, ipv6, run: runIn(name, children), start: startIn(name, children) }
  }
  return { inside: make(inside), outside: make(outside) }
}

function ip(...parameters: readonly string[]): void {
  execFileSync('ip', parameters, { stdio: 'pipe' })
}

/** Whoever is not root may still read the tree, wherever it lies. */
function enter(
  name: string,
  command: readonly string[],
  uid: number | undefined,
): readonly string[] {
  const as =
    uid === undefined
      ? []
      : [
          'setpriv',
          `--reuid=${uid}`,
          `--regid=${uid}`,
          '--clear-groups',
          '--inh-caps=-all,+dac_read_search',
          '--ambient-caps=-all,+dac_read_search',
          '--bounding-set=-all,+dac_read_search',
        ]
  return ['netns', 'exec', name, ...as, ...command]
}

function runIn(name: string, children: ChildProcess[]): Namespace['run'] {
  return async (command, { uid, input = '' } = {}) => {
    const child = spawn('ip', enter(name, command, uid), { stdio: 'pipe' })
    children.push(child)
    let out = ''
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (out += bytes.toString()))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    await once(child, 'close')
    return { exitCode: child.exitCode, out }
  }
}

function startIn(name: string, children: ChildProcess[]): Namespace['start'] {
  return async (command, { uid } = {}) => {
    const child = spawn('ip', enter(name, command, uid), { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    const lines: string[] = []
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          lines.push(line)
          if (line.includes('ready')) resolve()
        })
      }
      child.once('exit', () => reject(new Error(`${command.join(' ')}: ${lines.join('\n')}`)))
    })
    return { lines }
  }
}
